"""What a consumer fetched, over the clients it had."""

from __future__ import annotations

from workers.adapters.kafka_statistics import Fetched

TWO_PARTITIONS = '{"0":{"fetchq_cnt":3},"-1":{"fetchq_cnt":0},"1":{"fetchq_cnt":4}}'


def test_records_of_replaced_clients_stay_counted() -> None:
    """A new client begins at zero; the sum does not fall."""
    fetched = Fetched()
    for numbers, total in ((("3", "10"), 10), (("0", "5"), 15)):
        report = fetched.of_new_client()["stats_cb"]
        for number in numbers:
            report(f'{{"rxmsgs":{number},"topics":{{"t":{{"partitions":{TWO_PARTITIONS}}}}}}}')
        assert fetched.ahead == 7
        assert fetched.records == total
    fetched.of_new_client()
    assert (fetched.records, fetched.ahead) == (15, 0)
