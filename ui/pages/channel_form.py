"""Making and changing a channel: where it leads, what it hears of, when it is quiet."""

from collections.abc import Awaitable, Callable

from core.access import PLATFORM_ADMIN
from core.alerts.channel_forms import ChannelForm, make_ready, told_roles
from core.alerts.channels import change_channel, make_channel
from core.alerts.kinds import KINDS
from core.ports.services import NAMES
from core.team.names import addresses_in
from data.enums import ChannelKind, Severity
from ui.act import ask
from ui.page import PageContext
from ui.pages.channel_words import KIND, LEAST
from ui.pages.team_words import ROLE
from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, many_field, text_field
from ui.parts.filters import Segment
from ui.parts.secret import secret
from ui.parts.text import box, text
from ui.parts.ticks import Tick, Ticks

NEW = ChannelForm(name="", kind=ChannelKind.MAIL, roles=told_roles()[:1])
ABOUT = "Whoever is reached this way hears when an alert opens, grows more urgent, and ends."
OPENS_DOORS = "Kept sealed: it is not shown again"


class ChannelFields:
    """The form in a dialog. ``done()`` is awaited once a channel was made or changed."""

    def __init__(self, page: PageContext, *, done: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._done = done

    async def open(self, channel_id: str = "", form: ChannelForm = NEW, *, shown: str = "") -> None:
        """For a new channel, or the one with that id; ``shown``: as much of its address as may be seen."""
        self._kind = form.kind
        title = f"Change “{form.name}”" if channel_id else "Add a channel"
        with Dialog(title, ABOUT, wide=True) as dialog:
            with box("dbody scrolls channelform"):
                if not channel_id:
                    Segment("How", {kind.value: KIND[kind] for kind in KIND}, self._kind, self._choose)
                self._name = text_field("Name", form.name, placeholder="On call")
                self._draw_where(form, shown)
                self._draw_what(form)
            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))
                button("Save" if channel_id else "Add", lambda: self._save(dialog, channel_id), kind="pri")
        made = await dialog.answer()
        if made is not None:
            await self._done()
        if isinstance(made, str):
            await show_secret(made)

    def _draw_where(self, form: ChannelForm, shown: str) -> None:
        with box("whole") as self._mail:
            self._roles = Ticks("Roles", {role: f"{ROLE[role]}s" for role in told_roles()}, form.roles)
            self._addresses = text_field(
                "Other addresses",
                "\n".join(form.addresses),
                lines=2,
                placeholder="oncall@example.com",
                hint="Separated by commas, spaces or lines",
            )
        with box("whole") as self._webhook:
            self._url = text_field(
                "Webhook address",
                placeholder=f"{shown} is kept" if shown else "https://hooks.example.com/waypost",
                hint=f"Gets JSON, signed with a secret of its own. {OPENS_DOORS}",
            )
        with box("whole") as self._service:
            self._service_url = text_field(
                "Service address",
                placeholder=f"The one of {shown} is kept" if shown else "https://hooks.slack.com/services/…",
                hint=f"As the service gives it, or as the apprise library writes it. {OPENS_DOORS}",
            )
            text(f"Known are {', '.join(NAMES)}.", "hint", tag="p")
        for field in (self._url, self._service_url):
            field.props("autocomplete=off spellcheck=false")
        self._show_where()

    def _draw_what(self, form: ChannelForm) -> None:
        self._least = choice_field("Hears of", LEAST, form.least)
        kinds = {key: kind.title for key, kind in KINDS.items()}
        self._kinds = many_field("Kinds of alert", kinds, list(form.kinds), none="All kinds")
        with box("pairfields"):
            self._from = text_field("Quiet from", form.quiet_from, kind="time")
            self._until = text_field("Quiet until", form.quiet_until, kind="time")
        zone = self._page.surroundings.timezone
        text(
            f"By the clocks of {zone}. What happens meanwhile comes as one digest at the end.",
            "hint",
            tag="p",
        )
        self._passes = Tick("Critical alerts do not wait for the end of quiet hours", form.critical_passes)
        self._of_platform: Tick | None = None
        if self._page.can(PLATFORM_ADMIN) or form.of_platform:
            self._of_platform = Tick("Alerts of the whole installation too", form.of_platform)

    def _choose(self, kind: str) -> None:
        self._kind = ChannelKind(kind)
        self._show_where()

    def _show_where(self) -> None:
        self._mail.set_visibility(self._kind is ChannelKind.MAIL)
        self._webhook.set_visibility(self._kind is ChannelKind.WEBHOOK)
        self._service.set_visibility(self._kind is ChannelKind.SERVICE)

    def _form(self) -> ChannelForm:
        is_mail = self._kind is ChannelKind.MAIL
        url = self._url if self._kind is ChannelKind.WEBHOOK else self._service_url
        return ChannelForm(
            name=self._name.value or "",
            kind=self._kind,
            roles=self._roles.chosen if is_mail else (),
            addresses=addresses_in(self._addresses.value or "") if is_mail else (),
            target="" if is_mail else (url.value or ""),
            least=Severity(self._least.value),
            kinds=tuple(self._kinds.value or ()),
            quiet_from=(self._from.value or "")[:5],
            quiet_until=(self._until.value or "")[:5],
            critical_passes=self._passes.value,
            of_platform=self._of_platform is not None and self._of_platform.value,
        )

    async def _save(self, dialog: Dialog, channel_id: str) -> None:
        form = self._form()
        await ask(lambda: make_ready(form))
        if channel_id:
            changed = await self._page.write(
                lambda unit: change_channel(unit, channel_id, form), done=f"“{form.name}” is changed"
            )
            if changed:
                dialog.close(True)
            return
        made = await self._page.write(lambda unit: make_channel(unit, form), done=f"“{form.name}” is added")
        if made is not None:
            dialog.close(made[1] or True)


async def show_secret(value: str) -> None:
    """The secret that a webhook's calls are signed with, this once."""
    with Dialog(
        "Keep this secret now",
        "It is shown this once. The receiver checks with it that a call comes from here: the header "
        "X-Waypost-Signature is sha256= and the HMAC-SHA256 of X-Waypost-Timestamp, a dot and the raw body.",
    ) as dialog:
        with box("dbody"):
            secret("Signing secret", value)
        with box("dfoot"):
            button("I have kept it", lambda: dialog.close(True), kind="pri")
    await dialog.answer()
