"""``/billing/reconciliation`` and ``/billing/rates``: what we charge beside what Meta does."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import StringConstraints

from core.billing import rates, reconciliation
from core.billing.money import exact
from core.billing.queries import check_days
from core.billing.reconciliation import Line
from core.moments import rfc3339
from ui.api.billing import FirstDay, LastDay, fresh
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import Body

router = APIRouter(prefix="/billing", tags=["Billing"], route_class=ApiRoute)


class RatesBody(Body):
    csv: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


@router.get("/reconciliation")
@needs("billing.view")
def reconcile(request: Request, first: FirstDay, last: LastDay) -> dict[str, Any]:
    """Both ledgers by day and category; ``differenceUSD`` is null while part of Meta's side has no price.
    ``metaReported…`` are Meta's own figures, copied once a day; null where it gave none."""
    check_days(first, last)
    runtime, identity = fresh(request, "billing.view")
    with runtime.unit(identity) as unit:
        found = reconciliation.report(unit, first, last)
    return {
        "startDate": found.first.isoformat(),
        "endDate": found.last.isoformat(),
        "lines": [{"date": line.day.isoformat(), **_line_json(line)} for line in found.lines],
        "total": _line_json(found.total),
        "unknownPricingTypes": found.unknown,
        "metaReports": {
            "accounts": found.reports.accounts,
            "readAt": rfc3339(found.reports.read_at) if found.reports.read_at else None,
            "notReadable": found.reports.refused,
            "otherCurrencies": found.reports.others,
        },
    }


@router.get("/rates")
@needs("billing.view")
def list_rates(request: Request) -> dict[str, Any]:
    """Meta's rates as they were entered."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        found = rates.list_rates(unit)
    return {
        "items": [
            {
                "category": rate.category,
                "market": rate.market,
                "validFrom": rate.valid_from.isoformat(),
                "amountUSD": exact(rate.amount_micros),
            }
            for rate in found
        ]
    }


@router.post("/rates/import")
@needs("billing.manage")
def import_rates(request: Request, body: RatesBody) -> dict[str, Any]:
    """Takes lines of CSV with the columns category, market, validFrom, amountUSD: all of them, or none."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        return {"imported": rates.import_rates(unit, body.csv)}


def _line_json(line: Line) -> dict[str, Any]:
    difference = line.difference_micros
    return {
        "category": line.category,
        "conversations": line.conversations,
        "chargedUSD": exact(line.owed_micros),
        "metaMessages": line.messages,
        "metaCharged": line.charged,
        "metaFree": line.free,
        "metaUnpriced": line.unpriced,
        "metaCostUSD": exact(line.cost_micros),
        "metaReportedMessages": line.reported_messages,
        "metaReportedCostUSD": None if line.reported_micros is None else exact(line.reported_micros),
        "differenceUSD": None if difference is None else exact(difference),
        "margin": line.margin,
    }
