"""What one sandbox is told at its start."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """All settings of one sandbox; delays are seconds.

    `webhook_url`: where signed webhooks go; None sends none.
    `app_secret`: signs them, and is the client secret of token calls.
    `verify_token`: what the sandbox presents when it subscribes a webhook (`POST /sandbox/webhook`).
    `seed`: fixes the dice of faults and delays; None rolls anew at each start. Message ids never repeat.
    `phones`: sending numbers of the first WABA; the second WABA always has one.
    `status_delays_s`: mean delay of sent, delivered and read, each counted from acceptance.
    `read_share`: share of messages that are read. `answer_delay_s`: lowest and highest time to answer a send.
    `statuses`: False sends no status webhook by itself. `demo`: switches the demo's faults on from the start.
    `retry_waits_s`: waits between tries of one webhook POST, then it is dropped (Meta: after up to 7 days).
    `verdict_delay_s`: time from the creation of a template to Meta's verdict.
    """

    webhook_url: str | None = None
    app_secret: str = "sandbox-app-secret"  # noqa: S105  (a made-up secret of a made-up app)
    verify_token: str = "sandbox-verify-token"  # noqa: S105
    app_id: str = "300200100900800"
    seed: int | None = None
    phones: int = 2
    status_delays_s: tuple[float, float, float] = (0.4, 1.2, 4.0)
    read_share: float = 0.7
    answer_delay_s: tuple[float, float] = (0.03, 0.12)
    statuses: bool = True
    demo: bool = False
    retry_waits_s: tuple[float, ...] = (0.5, 1, 2, 4, 8, 16, 32, 60)
    verdict_delay_s: float = 3.0
