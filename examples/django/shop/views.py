"""A view that changes a row and tells somebody: both, or neither."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from notifier import notify
from shop.models import Order


class NoAddress(Exception):  # noqa: N818 - reads as what it is
    """The carrier can't deliver there."""


@require_POST
def ship(_request: HttpRequest, number: int) -> JsonResponse:
    """Ship an order and tell its customer."""
    try:
        with transaction.atomic():
            order = get_object_or_404(Order.objects.select_for_update(), pk=number)
            order.shipped = True
            order.save(update_fields=["shipped"])
            event_id = notify(
                f"Order {number} is on its way",
                recipients=[order.customer.get_username()],
                tags={"order": str(number)},
                source_event_id=f"order-{number}-shipped",  # twice is once
            )
            book_parcel(order)  # where it raises, nobody is told
    except NoAddress:
        return JsonResponse({"error": "the order has no address"}, status=409)
    return JsonResponse({"event": event_id})


def book_parcel(order: Order) -> None:
    """Stand in for what else can go wrong in the transaction."""
    if not order.address:
        raise NoAddress
