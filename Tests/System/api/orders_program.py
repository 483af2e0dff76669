"""Places, reads, changes and removes an order with the client that was generated from the document. Type-checked with it."""

import sys
import uuid

from orders_client import Client
from orders_client.api.orders import create_order, delete_order, list_orders, read_order, replace_order
from orders_client.models import Details, NewOrder, Order, OrderList, Problem


def main(url: str) -> None:
    with Client(base_url=url) as client:
        new = NewOrder(customer="Ada", amount="12.30", details=Details(is_gift=True, parcels=2))
        order = create_order.sync(client=client, body=new)
        assert isinstance(order, Order) and (order.customer, order.amount, order.details) == ("Ada", "12.30", new.details)
        assert read_order.sync(order.id, client=client) == order

        replaced = replace_order.sync(order.id, client=client, body=NewOrder(customer="Grace", amount="1.0"))
        assert isinstance(replaced, Order) and (replaced.id, replaced.customer) == (order.id, "Grace")
        assert replaced.placed_at == order.placed_at and replaced.placed_at.tzinfo is not None

        before = uuid.UUID(int=order.id.int - 1)
        page = list_orders.sync(client=client, after=before)
        assert isinstance(page, OrderList) and replaced in page.orders

        assert delete_order.sync(order.id, client=client) == replaced
        missing = read_order.sync(order.id, client=client)
        assert isinstance(missing, Problem) and missing.status == 404

        refused = create_order.sync(client=client, body=NewOrder(customer="", amount="-1"))
        assert isinstance(refused, Problem) and refused.status == 422 and isinstance(refused.errors, list)
        assert [error.pointer for error in refused.errors] == ["/customer", "/amount"]


main(sys.argv[1])
