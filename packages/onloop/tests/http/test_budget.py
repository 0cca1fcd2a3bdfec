from onloop.http.budget import Budget


def allowed(budget: Budget, attempts: int) -> int:
    return sum(budget.withdraw() for _ in range(attempts))


def test_burst_first_and_then_a_share_of_the_calls() -> None:
    budget = Budget(0.25, 3, full=True)

    assert allowed(budget, 10) == 3
    for _ in range(8):
        budget.deposit()
    assert allowed(budget, 10) == 2


def test_without_the_burst_only_the_share() -> None:
    budget = Budget(0.25, 3, full=False)

    assert allowed(budget, 10) == 0
    for _ in range(4):
        budget.deposit()
    assert allowed(budget, 10) == 1


def test_quiet_times_save_no_more_than_the_burst() -> None:
    budget = Budget(0.25, 3, full=False)

    for _ in range(1000):
        budget.deposit()
    assert allowed(budget, 10) == 3
