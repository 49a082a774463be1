"""Clients that note nothing, and those whose requests are numbered elsewhere."""

from convex_async.outbox.no_journal import NoJournal, NumberedJournal


def test_nothing_is_noted_and_nothing_waits() -> None:
    journal = NoJournal()
    assert journal.next_id() is None
    assert journal.connected() is False
    assert journal.take("ada", is_token=True) == []
    assert journal.close_soon() is None


def test_numbers_go_on_from_the_first() -> None:
    journal = NumberedJournal("a session", 7)
    assert [journal.next_id() for _ in range(3)] == [7, 8, 9]
    assert (journal.session_id, journal.is_kept) == ("a session", False)
