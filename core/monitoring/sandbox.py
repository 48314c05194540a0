"""The demo's sandbox, as its page looks at it and changes it."""

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import NotFound
from core.ports.sandbox import SandboxControl, SandboxRequest, SandboxState, SandboxTemplate
from core.runtime import Runtime
from core.unit import Identity

PERMISSION = "settings.manage"
NEWEST = 50


@dataclass(frozen=True, slots=True)
class SandboxView:
    """``requests``: the newest ``NEWEST`` of them, newest first."""

    state: SandboxState
    requests: list[SandboxRequest]


def look(runtime: Runtime, identity: Identity) -> SandboxView:
    """Unavailable when it does not answer."""
    control = _control(runtime, identity)
    return SandboxView(control.state(), control.received(limit=NEWEST))


def create_fault(
    runtime: Runtime,
    identity: Identity,
    *,
    kind: str,
    to: str | None = None,
    phone_number_id: str | None = None,
    code: int | None = None,
    seconds: float | None = None,
    share: float = 1.0,
    times: int | None = None,
) -> None:
    """Sends that match it fail so from now on. Impossible says what about it cannot be."""

    def create(control: SandboxControl) -> str:
        return control.create_fault(
            kind=kind,
            to=to,
            phone_number_id=phone_number_id,
            code=code,
            seconds=seconds,
            share=share,
            times=times,
        ).id

    _change(runtime, identity, "sandbox.fault_made", create)


def switch_fault(runtime: Runtime, identity: Identity, fault_id: str, *, enabled: bool) -> None:
    """The rule is in force, or rests."""

    def switch(control: SandboxControl) -> str:
        control.switch_fault(fault_id, enabled=enabled)
        return fault_id

    _change(runtime, identity, "sandbox.fault_on" if enabled else "sandbox.fault_off", switch)


def delete_fault(runtime: Runtime, identity: Identity, fault_id: str) -> None:
    """The rule is gone."""

    def delete(control: SandboxControl) -> str:
        control.delete_fault(fault_id)
        return fault_id

    _change(runtime, identity, "sandbox.fault_deleted", delete)


def write_inbound(
    runtime: Runtime, identity: Identity, *, phone_number_id: str, sender: str, name: str, text: str
) -> None:
    """A made-up customer has written to one of our numbers; the message arrives by webhook."""

    def write(control: SandboxControl) -> str:
        control.write_inbound(phone_number_id=phone_number_id, sender=sender, name=name, text=text)
        return phone_number_id

    _change(runtime, identity, "sandbox.customer_wrote", write)


def change_phone(
    runtime: Runtime, identity: Identity, phone_number_id: str, *, aspect: str, word: str
) -> None:
    """Meta says that word of the number from now on, and tells it by webhook."""

    def change(control: SandboxControl) -> str:
        control.change_phone(phone_number_id, aspect=aspect, word=word)
        return phone_number_id

    _change(runtime, identity, "sandbox.number_changed", change)


def change_account(runtime: Runtime, identity: Identity, waba_id: str, *, aspect: str, word: str) -> None:
    """Meta says that word of the account or its business from now on, and tells it by webhook."""

    def change(control: SandboxControl) -> str:
        control.change_account(waba_id, aspect=aspect, word=word)
        return waba_id

    _change(runtime, identity, "sandbox.account_changed", change)


def change_template(
    runtime: Runtime, identity: Identity, template: SandboxTemplate, *, aspect: str, word: str
) -> None:
    """Meta says that word of the template from now on, and tells it by webhook."""

    def change(control: SandboxControl) -> str:
        control.change_template(template, aspect=aspect, word=word)
        return f"{template.name}/{template.language}"

    _change(runtime, identity, "sandbox.template_changed", change)


def _change(
    runtime: Runtime, identity: Identity, action: str, change: Callable[[SandboxControl], str]
) -> None:
    target = change(_control(runtime, identity))
    with runtime.unit(identity, write=True) as unit:
        unit.record(action, f"sandbox:{target}")


def _control(runtime: Runtime, identity: Identity) -> SandboxControl:
    """Outside the demo there is none: the same address is Meta's then."""
    with runtime.unit(identity) as unit:
        unit.require(PERMISSION)
    if not runtime.settings.waypost_demo:
        raise NotFound.of("sandbox")
    return SandboxControl(runtime.settings.waypost_graph_url)
