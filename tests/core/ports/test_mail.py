import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.ports import mail
from core.ports.mail import Letter, MailError, Outbox, SmtpMailer, mailer_for
from core.ports.unit_guard import unit_is_open
from tests.conftest import NOW

SENDER = "Waypost <waypost@example.com>"
LINK = "https://console.example/invite/" + "x" * 120
LETTER = Letter("mail_1", "mara@example.com", "Join Nordlicht & Söhne", f"Hello Mära\n.\n\n{LINK}\n", NOW)


class Postbox:
    """Takes mail for everybody but nobody@…, and remembers how it came."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.was_encrypted: list[bool] = []
        self.on_data = "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user"
        if address.startswith("later@"):
            return "450 4.2.1 Mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.was_encrypted.append(session.ssl is not None)
        return self.on_data

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


def run(postbox: Postbox, **options: Any) -> Iterator[int]:
    """The port of a mail server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    controller = Controller(postbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    yield port
    controller.stop()


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def plain(postbox: Postbox) -> Iterator[int]:
    yield from run(postbox)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself; key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def sign_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"ops", b"p@ss/word")
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def encrypted(postbox: Postbox, certificate: Path) -> Iterator[int]:
    """It offers STARTTLS, insists on it, and wants a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    yield from run(
        postbox, tls_context=context, require_starttls=True, auth_required=True, authenticator=sign_in
    )


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def refusal_of(mailer: SmtpMailer, letter: Letter = LETTER) -> MailError:
    with pytest.raises(MailError) as refusal:
        mailer.deliver(letter)
    assert LINK not in str(refusal.value)
    assert "p@ss" not in str(refusal.value)
    return refusal.value


def test_a2_a_mail_arrives_as_it_was_written(plain: int, postbox: Postbox) -> None:
    SmtpMailer(f"smtp://127.0.0.1:{plain}", sender=SENDER).deliver(LETTER)
    (envelope,) = postbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("waypost@example.com", ["mara@example.com"])
    message = postbox.message()
    assert (message["From"], message["To"]) == (SENDER, "mara@example.com")
    assert message["Subject"] == "Join Nordlicht & Söhne"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == "<mail_1@example.com>"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == LETTER.text.splitlines()


def test_a2_what_goes_over_the_wire_is_seven_bit(plain: int, postbox: Postbox) -> None:
    SmtpMailer(f"smtp://127.0.0.1:{plain}", sender='"Büro" <b@example.com>').deliver(LETTER)
    content = postbox.envelopes[0].content
    assert isinstance(content, bytes)
    assert content.isascii()


def test_a2_a_password_goes_over_starttls(encrypted: int, postbox: Postbox, certificate: Path) -> None:
    url = f"smtp://ops:p%40ss%2Fword@127.0.0.1:{encrypted}"
    SmtpMailer(url, sender=SENDER, tls=trusting(certificate)).deliver(LETTER)
    assert postbox.was_encrypted == [True]


def test_a2_a_certificate_that_nobody_vouches_for_stops_it(encrypted: int, postbox: Postbox) -> None:
    mailer = SmtpMailer(f"smtp://ops:p%40ss%2Fword@127.0.0.1:{encrypted}", sender=SENDER)
    refusal = refusal_of(mailer)
    assert refusal.sentence.startswith("There is no secure connection to the mail server")
    assert not refusal.is_final
    assert postbox.envelopes == []


def test_a2_a_wrong_password_is_a_matter_of_settings(
    encrypted: int, postbox: Postbox, certificate: Path
) -> None:
    mailer = SmtpMailer(f"smtp://ops:wrong@127.0.0.1:{encrypted}", sender=SENDER, tls=trusting(certificate))
    refusal = refusal_of(mailer)
    assert refusal.sentence.startswith("The mail server refused: 535")
    assert not refusal.is_final


def test_a2_off_this_machine_nothing_goes_out_in_clear(
    plain: int, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_is_loopback", lambda host: False)
    url = f"smtp://127.0.0.1:{plain}"
    assert "offers no STARTTLS" in refusal_of(SmtpMailer(url, sender=SENDER)).sentence
    assert postbox.envelopes == []
    SmtpMailer(f"{url}?starttls=off", sender=SENDER).deliver(LETTER)
    assert postbox.was_encrypted == [False]


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("mail.example", False)],
)
def test_what_this_machine_is(host: str, is_ours: bool) -> None:
    assert mail._is_loopback(host) is is_ours


def test_a2_a_recipient_that_is_refused_for_good_and_one_for_now(plain: int, postbox: Postbox) -> None:
    mailer = SmtpMailer(f"smtp://127.0.0.1:{plain}", sender=SENDER)
    refused = refusal_of(mailer, Letter("mail_2", "nobody@example.com", "Join", LINK, NOW))
    assert refused.is_final
    assert refused.sentence == "The mail server refused: 550 5.1.1 No such user"
    assert not refusal_of(mailer, Letter("mail_3", "later@example.com", "Join", LINK, NOW)).is_final
    assert postbox.envelopes == []


@pytest.mark.parametrize(("answer", "is_final"), [("554 Spam", True), ("451 Try later", False)])
def test_a2_a_text_that_is_refused(plain: int, postbox: Postbox, answer: str, is_final: bool) -> None:
    postbox.on_data = answer
    refusal = refusal_of(SmtpMailer(f"smtp://127.0.0.1:{plain}", sender=SENDER))
    assert (refusal.sentence, refusal.is_final) == (f"The mail server refused: {answer}", is_final)


def test_a2_a_server_that_wants_no_password_and_is_given_one(plain: int) -> None:
    refusal = refusal_of(SmtpMailer(f"smtp://ops:p%40ss@127.0.0.1:{plain}", sender=SENDER))
    assert refusal.sentence == "The mail server does not offer what sending needs, such as signing in."


def test_a2_a_server_that_is_down_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        refusal = refusal_of(SmtpMailer(f"smtp://127.0.0.1:{port}", sender=SENDER))
        assert refusal.sentence == "The mail server closed the connection, or did not answer in time."
        assert not refusal.is_final
    refusal = refusal_of(SmtpMailer(f"smtp://127.0.0.1:{port}", sender=SENDER))
    assert refusal.sentence == "The mail server cannot be reached: Connection refused."
    refusal = refusal_of(SmtpMailer("smtp://mail.invalid", sender=SENDER))
    assert refusal.sentence.startswith("The mail server cannot be reached")


def test_smtps_to_a_server_that_speaks_in_clear_sends_nothing(plain: int, postbox: Postbox) -> None:
    refusal = refusal_of(SmtpMailer(f"smtps://127.0.0.1:{plain}", sender=SENDER))
    assert refusal.sentence.startswith("There is no secure connection")
    assert postbox.envelopes == []


def test_a2_without_a_server_each_mail_is_one_file_of_its_own(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "var" / "outbox", sender=SENDER)
    assert outbox.kept(["mail_1"]) == []
    outbox.deliver(LETTER)
    outbox.deliver(Letter("mail_2", "jon@example.com", "Second", "Hello", NOW))
    assert sorted(path.name for path in (tmp_path / "var" / "outbox").iterdir()) == [
        "mail_1.eml",
        "mail_2.eml",
    ]
    raw = (tmp_path / "var" / "outbox" / "mail_1.eml").read_bytes()
    assert f"\r\n{LINK}\r\n".encode() in raw  # in one piece, for whoever reads the file
    assert (tmp_path / "var" / "outbox" / "mail_1.eml").stat().st_mode & 0o777 == 0o600
    first, second = outbox.kept(["mail_2", "mail_3", "mail_1"])
    assert (first.id, first.to, first.subject, first.text) == (
        "mail_2",
        "jon@example.com",
        "Second",
        "Hello",
    )
    assert (second.subject, second.at, second.text) == (LETTER.subject, NOW, LETTER.text.rstrip("\n"))


def test_a2_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(MailError, match="cannot be written"):
        Outbox(tmp_path / "outbox", sender=SENDER).deliver(LETTER)


def test_the_setting_decides_which_it_is(tmp_path: Path) -> None:
    assert isinstance(mailer_for(None, sender=SENDER, folder=tmp_path), Outbox)
    assert isinstance(mailer_for("smtp://127.0.0.1", sender=SENDER, folder=tmp_path), SmtpMailer)


def test_no_mail_is_sent_inside_a_unit(tmp_path: Path) -> None:
    opened = unit_is_open.set(True)
    try:
        for mailer in (Outbox(tmp_path, sender=SENDER), SmtpMailer("smtp://127.0.0.1", sender=SENDER)):
            with pytest.raises(RuntimeError, match="inside a unit"):
                mailer.deliver(LETTER)
    finally:
        unit_is_open.reset(opened)
