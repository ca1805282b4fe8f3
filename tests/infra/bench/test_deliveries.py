"""The targets of callbacks to callers."""

from infra.bench.deliveries import ALL_HEALTHY, CASES, Delivered, checks


def delivered(case, *delays_s: float) -> Delivered:
    return Delivered(case=case, backlog=400, per_s=200.0, delays_s=delays_s)


def test_a_dead_endpoint_that_holds_up_the_others_fails_its_check():
    results = [delivered(ALL_HEALTHY, 1.0), delivered(CASES[1], 1.5), delivered(CASES[2], 1.6)]

    assert [(one.measured, one.holds) for one in checks(results)] == [
        ("1.50", True),
        ("1.60", False),
    ]


def test_there_is_a_case_for_each_way_to_be_dead_and_each_tenant():
    assert {(one.dead, one.tenant in ("calm-0", "calm-1")) for one in CASES[1:]} == {
        ("hangs", False),
        ("hangs", True),
        ("refuses", False),
        ("refuses", True),
    }
