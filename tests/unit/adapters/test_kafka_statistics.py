"""What a consumer fetched, over the clients it had."""

from __future__ import annotations

from workers.adapters.kafka_statistics import Fetched


def test_records_of_replaced_clients_stay_counted() -> None:
    """A new client begins at zero; the sum does not fall."""
    fetched = Fetched()
    for numbers, total in ((("3", "10"), 10), (("0", "5"), 15)):
        report = fetched.of_new_client()["stats_cb"]
        for number in numbers:
            report(f'{{"rxmsgs":{number},"topics":{{}}}}')
        assert fetched.records == total
    fetched.of_new_client()
    assert fetched.records == 15


def test_a_new_client_has_no_group_until_it_says_so() -> None:
    """`up`: the coordinator is there; every other state is a way to it."""
    fetched = Fetched()
    report = fetched.of_new_client()["stats_cb"]
    for text, has_group in (
        ("", False),
        (',"cgrp":{"state":"wait-coord"}', False),
        (',"cgrp":{"state":"up"}', True),
    ):
        report(f'{{"rxmsgs":0{text}}}')
        assert fetched.has_group == has_group
    fetched.of_new_client()
    assert not fetched.has_group
