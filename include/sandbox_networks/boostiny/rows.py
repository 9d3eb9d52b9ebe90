"""The JSON of report rows and summaries: every number is a string, amounts have their decimals.

Rates are percentages of the gross value; of an average order they may be negative, as cancellations of small
orders raise it.
"""

from __future__ import annotations

from datetime import date

from sandbox_networks.boostiny.days import ReportRow
from sandbox_networks.boostiny.sales import CENT, Figures
from sandbox_networks.zones import Zone

Row = dict[str, str | None]


def fine_text(amount: int) -> str:
    """Write an amount with four decimals."""
    return f"{amount // 10_000}.{amount % 10_000:04d}"


def _hundredths(number: int) -> str:
    whole, rest = divmod(abs(number), 100)
    return f"{'-' if number < 0 else ''}{whole}.{rest:02d}"


def _quotient(number: int, by: int) -> int:
    """Divide and round, halves up; nothing by nothing is nothing."""
    return (2 * number + by) // (2 * by) if by else 0


def _rate(gross: int, net: int) -> str:
    return _hundredths(_quotient((gross - net) * 10_000, gross))


def metrics(figures: Figures) -> Row:
    """Print the metrics of a row or of a whole report."""
    average = _quotient(figures.amount_usd, figures.orders * CENT)
    net_average = _quotient(figures.net_amount_usd, figures.net_orders * CENT)
    return {
        "orders": str(figures.orders),
        "net_orders": str(figures.net_orders),
        "orders_cancellation_rate": _rate(figures.orders, figures.net_orders),
        "revenue": fine_text(figures.revenue),
        "net_revenue": fine_text(figures.net_revenue),
        "revenue_cancellation_rate": _rate(figures.revenue, figures.net_revenue),
        "sales_amount": _hundredths(figures.amount // CENT),
        "net_sales_amount": _hundredths(figures.net_amount // CENT),
        "sales_amount_cancellation_rate": _rate(figures.amount, figures.net_amount),
        "sales_amount_usd": _hundredths(figures.amount_usd // CENT),
        "net_sales_amount_usd": _hundredths(figures.net_amount_usd // CENT),
        "sales_amount_usd_cancellation_rate": _rate(figures.amount_usd, figures.net_amount_usd),
        "aov_usd": _hundredths(average),
        "net_aov_usd": _hundredths(net_average),
        "aov_usd_cancellation_rate": _rate(average, net_average),
    }


def report_row(row: ReportRow, total: int, zone: Zone, *, with_last_updated: bool) -> Row:
    """Print one row of a report.

    :param total: how many rows the whole report has, which every row repeats.
    """
    campaign, coupon = row.seller
    printed: Row = {
        "full_count": str(total),
        "campaign_id": str(campaign.id),
        "campaign_name": campaign.name,
        "campaign_logo": campaign.logo,
        "automation": "manual",
    }
    if with_last_updated:
        printed["last_updated_at"] = zone.text(row.changed)
    if row.day is not None:
        printed["date"] = date.fromordinal(row.day).isoformat()
    if coupon is not None:
        printed |= {"code": coupon.code, "code_id": str(coupon.id)}
    if row.country is not None:
        printed["country"] = row.country
    return printed | metrics(row.figures)


def summary_row(figures: Figures, total: int, first: int, last: int) -> Row:
    """Print the row of sums that some reports end with: it belongs to no campaign, but to a range of days."""
    return {
        "full_count": str(total),
        "period_from": date.fromordinal(first).isoformat(),
        "period_to": date.fromordinal(last).isoformat(),
    } | metrics(figures)
