"""The world a sandbox begins with: two WABAs of one business, their phones and their templates."""

from core.sandbox.errors import Json
from core.sandbox.world import Business, Phone, Waba, World

BUSINESS_ID = "900800700600500"
WABA_ID = "100200300400500"
OTHER_WABA_ID = "100200300400600"
FIRST_PHONE_ID = "106540352242922"
OTHER_PHONE_ID = "206540352242922"


def seeded(*, phones: int) -> World:
    """A fresh world with `phones` numbers in the first WABA (at least 1) and one in the second."""
    world = World()
    world.businesses[BUSINESS_ID] = Business(BUSINESS_ID, "Northwind Trading Ltd")
    world.wabas[WABA_ID] = Waba(WABA_ID, "Waypost Demo", BUSINESS_ID)
    world.wabas[OTHER_WABA_ID] = Waba(OTHER_WABA_ID, "Harbour Dental", BUSINESS_ID, country="GB")
    for number in range(max(1, phones)):
        phone = _phone(number)
        world.phones[phone.id] = phone
    world.phones[OTHER_PHONE_ID] = Phone(
        OTHER_PHONE_ID, OTHER_WABA_ID, "+44 161 496 0127", "Harbour Dental", "GB"
    )
    _seed_templates(world)
    return world


def _phone(number: int) -> Phone:
    """Number 0 and 1 are the known two; the rest are made up from their place in the row."""
    phone_id = str(int(FIRST_PHONE_ID) + number)
    if number == 0:
        return Phone(phone_id, WABA_ID, "+49 30 5557 0142", "Northwind Logistics", "DE")
    if number == 1:
        return Phone(phone_id, WABA_ID, "+44 20 7946 0958", "Northwind Support", "GB")
    return Phone(phone_id, WABA_ID, f"+49 30 5557 {1000 + number}", f"Northwind Branch {number}", "DE")


def _seed_templates(world: World) -> None:
    def add(
        name: str, language: str, category: str, *components: Json, waba_id: str = WABA_ID, **more: str
    ) -> None:
        world.add_template(
            waba_id, name=name, language=language, category=category, components=list(components), **more
        )

    add(
        "order_update",
        "en_US",
        "UTILITY",
        _body("Hello {{1}}, your order {{2}} has left our warehouse and is on its way.", "Mara", "NW-20418"),
        _footer("Northwind Logistics"),
    )
    add(
        "delivery_today",
        "en",
        "UTILITY",
        _body(
            "Hi {{1}}, your parcel arrives today between {{2}} and {{3}}. Please be at home to sign for it.",
            "Jonas",
            "14:00",
            "16:00",
        ),
    )
    add(
        "appointment_reminder",
        "en_US",
        "UTILITY",
        _body(
            "Dear {{1}}, this is a reminder of your appointment on {{2}}. Reply to this message to move it.",
            "Ms Okafor",
            "Tuesday 10:30",
        ),
    )
    add(
        "appointment_reminder",
        "de",
        "UTILITY",
        _body(
            "Guten Tag {{1}}, wir erinnern Sie an Ihren Termin am {{2}}. Antworten Sie hier, wenn Sie ihn "
            "verschieben möchten.",
            "Frau Schäfer",
            "Dienstag um 10:30 Uhr",
        ),
    )
    add("password_reset", "en_US", "AUTHENTICATION", *_one_time_code())
    add("one_time_code", "en_US", "AUTHENTICATION", *_one_time_code())
    add(
        "winter_sale",
        "en_US",
        "MARKETING",
        {
            "type": "HEADER",
            "format": "TEXT",
            "text": "Winter sale: {{1}} off",
            "example": {"header_text": ["30 %"]},
        },
        _body("Our winter sale ends {{1}}. Everything for the cold days, while stocks last.", "on Sunday"),
        _footer("Reply STOP to hear no more from us"),
        _buttons({"type": "URL", "text": "See the offers", "url": "https://shop.example.com/winter"}),
    )
    add(
        "feedback_request",
        "en",
        "MARKETING",
        _body("Thank you for your order. How did we do? One tap is enough."),
        _buttons(
            {"type": "QUICK_REPLY", "text": "Very well"}, {"type": "QUICK_REPLY", "text": "Could be better"}
        ),
    )
    add(
        "hello_world",
        "en_US",
        "UTILITY",
        {"type": "HEADER", "format": "TEXT", "text": "Hello World"},
        _body("Welcome and congratulations! This message shows that you can send through the Cloud API."),
        _footer("WhatsApp Business API Team"),
    )
    add(
        "spring_sale",
        "en_US",
        "MARKETING",
        _body("Spring is here, {{1}}: 20 % off garden tools until {{2}}.", "Mara", "30 April"),
        status="PAUSED",
        quality="RED",
    )
    add(
        "loyalty_offer",
        "en_US",
        "MARKETING",
        _body("You won, {{1}}! Claim your reward today.", "Mara"),
        status="REJECTED",
        rejected_reason="PROMOTIONAL",
        quality="UNKNOWN",
    )
    add(
        "new_catalogue",
        "en_US",
        "MARKETING",
        _body("Our new catalogue is out, {{1}}. Have a look at page {{2}}.", "Mara", "12"),
        status="PENDING",
        quality="UNKNOWN",
    )
    add(
        "checkup_reminder",
        "en_GB",
        "UTILITY",
        _body("Hello {{1}}, your next check-up is due on {{2}}.", "Mr Patel", "3 March"),
        waba_id=OTHER_WABA_ID,
    )


def _body(text: str, *examples: str) -> Json:
    body: Json = {"type": "BODY", "text": text}
    if examples:
        body["example"] = {"body_text": [list(examples)]}
    return body


def _footer(text: str) -> Json:
    return {"type": "FOOTER", "text": text}


def _buttons(*buttons: Json) -> Json:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def _one_time_code() -> list[Json]:
    """As Meta lists an authentication template: the copy button is a URL button with one variable."""
    return [
        {
            "type": "BODY",
            "text": "*{{1}}* is your verification code. For your security, do not share this code.",
            "add_security_recommendation": True,
            "example": {"body_text": [["483920"]]},
        },
        {"type": "FOOTER", "text": "This code expires in 5 minutes.", "code_expiration_minutes": 5},
        _buttons(
            {
                "type": "URL",
                "text": "Copy code",
                "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
                "example": ["https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp483920"],
            }
        ),
    ]
