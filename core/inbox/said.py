"""One change that Meta told us, and what makes it the same as another."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from core.inbox.updates import Change, Update
from data.columns import to_micros


@dataclass(frozen=True, slots=True)
class Said:
    """One change, the workspace it concerns, and when it reached us."""

    update: Update
    change: Change
    workspace_id: str
    received_at: datetime

    @property
    def at(self) -> datetime:
        """Meta's moment, or where Meta gives none ours."""
        return self.change.at or self.received_at

    @property
    def id(self) -> str:
        """The same for what is the same: that it is said twice shows in nothing else."""
        update, change = self.update, self.change
        moment = None if change.at is None else to_micros(change.at)
        whole = [update.waba_id, update.phone_number_id, update.field, moment, change.value]
        canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
