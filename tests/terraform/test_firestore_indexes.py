"""The rules by which indexes serve queries, with the examples of Firestore's documentation.

See Firestore, Index types (cities and restaurants) and Queries > Query limitations.
"""

import pytest

from tests.terraform.declared_indexes import indexes_as_made, indexes_as_written
from tests.terraform.firestore_indexes import (
    ASCENDING,
    CONTAINS,
    DESCENDING,
    Index,
    Indexes,
    NotUnderstood,
    Part,
    Query,
    needless,
    read_query,
)
from tests.terraform.running import SOURCE

NOTHING_SAID = Indexes(composite=frozenset(), fields={})


def index(*parts: str, collection: str = "restaurants") -> Index:
    """Write `category` for an ascending field, `-rating` for a descending, `tags[]` for arrays."""
    return Index(collection, tuple(map(_part, parts)))


def field_filter(path, operator):
    return {"fieldFilter": {"field": {"fieldPath": path}, "op": operator, "value": {}}}


def _part(text: str) -> Part:
    if text.endswith("[]"):
        return Part(text[:-2], CONTAINS)
    if text.startswith("-"):
        return Part(text[1:], DESCENDING)
    return Part(text, ASCENDING)


@pytest.fixture(scope="module")
def written() -> Indexes:
    return indexes_as_written(SOURCE)


def indexes(*composite: Index) -> Indexes:
    return Indexes(composite=frozenset(composite), fields={})


def query(*filters: str, order: tuple[str, ...] = (), collection: str = "restaurants") -> Query:
    parts = list(map(_part, filters))
    return Query(
        collection=collection,
        equal=frozenset(part.path for part in parts if part.mode != CONTAINS),
        contains=frozenset(part.path for part in parts if part.mode == CONTAINS),
        order=tuple(map(_part, order)),
    )


@pytest.mark.parametrize(
    "asked",
    [
        query("state", collection="cities"),
        query("state", "country", "capital", collection="cities"),
        query("regions[]", collection="cities"),
        query("state", "regions[]", collection="cities"),
        query(order=("population",), collection="cities"),
        query(order=("-population",), collection="cities"),
        query(collection="cities"),
    ],
    ids=str,
)
def test_what_firestore_indexes_by_itself_serves_simple_queries(asked):
    assert NOTHING_SAID.serve(asked)


@pytest.mark.parametrize(
    "asked",
    [
        query("country", order=("population",), collection="cities"),
        query("country", order=("-population",), collection="cities"),
        query("regions[]", order=("population",), collection="cities"),
        query(order=("country", "population"), collection="cities"),
    ],
    ids=str,
)
def test_a_filter_with_an_order_needs_a_composite_index(asked):
    assert not NOTHING_SAID.serve(asked)


def test_a_composite_index_serves_its_own_direction_only():
    country_by_population = indexes(index("country", "population", collection="cities"))

    assert country_by_population.serve(query("country", order=("population",), collection="cities"))
    assert not country_by_population.serve(
        query("country", order=("-population",), collection="cities")
    )


@pytest.mark.parametrize("written", ["country", "-country"])
def test_the_direction_of_a_compared_field_does_not_matter(written):
    made = indexes(index(written, "-population", collection="cities"))

    assert made.serve(query("country", order=("-population",), collection="cities"))


BY_RATING = indexes(
    index("category", "-star_rating"),
    index("city", "-star_rating"),
    index("editors_pick", "-star_rating"),
)


@pytest.mark.parametrize(
    "filters",
    [
        ("category",),
        ("category", "city"),
        ("category", "editors_pick"),
        ("category", "city", "editors_pick"),
    ],
    ids=str,
)
def test_indexes_that_end_in_the_same_order_are_merged(filters):
    assert BY_RATING.serve(query(*filters, order=("-star_rating",)))


@pytest.mark.parametrize(
    "asked",
    [
        query("category", "stars", order=("-star_rating",)),
        query("category", "city", order=("star_rating",)),
        query("category", "city", order=("-star_rating", "price")),
        query("category", "city", order=("price",)),
        query("category", order=("-star_rating",), collection="cities"),
    ],
    ids=str,
)
def test_a_filter_that_no_index_holds_in_this_order_is_not_merged(asked):
    assert not BY_RATING.serve(asked)


def test_an_index_of_a_single_field_is_not_merged_into_another_order():
    only_category = indexes(index("category", "-star_rating"))

    assert not only_category.serve(query("category", "city", order=("-star_rating",)))


def test_an_index_with_a_field_that_is_not_asked_for_does_not_serve():
    three = indexes(index("category", "city", "-star_rating"))

    assert three.serve(query("city", "category", order=("-star_rating",)))
    assert not three.serve(query("category", order=("-star_rating",)))


def test_a_member_of_an_array_needs_an_index_of_its_members():
    asked = query("city", "tags[]", order=("-star_rating",))

    assert indexes(index("city", "tags[]", "-star_rating")).serve(asked)
    assert not indexes(index("city", "tags", "-star_rating")).serve(asked)
    assert indexes(index("city", "-star_rating"), index("tags[]", "-star_rating")).serve(asked)


@pytest.mark.parametrize(
    ("name", "is_served"), [(("__name__",), False), (("-__name__",), True), ((), True)], ids=str
)
def test_names_stand_at_the_end_in_the_direction_of_the_last_field(name, is_served):
    made = indexes(index("category", "-star_rating"))

    assert made.serve(query("category", order=("-star_rating", *name))) is is_served


def test_a_field_that_is_exempted_serves_no_query_by_itself():
    fields = {("cities", "state"): frozenset[str](), ("cities", "country"): frozenset({ASCENDING})}
    made = Indexes(composite=frozenset(), fields=fields)

    assert not made.serve(query("state", collection="cities"))
    assert made.serve(query("country", "capital", collection="cities"))
    assert not made.serve(query("country", "state", collection="cities"))
    assert not made.serve(query(order=("-country",), collection="cities"))


def test_an_exemption_does_not_touch_composite_indexes():
    made = Indexes(
        composite=frozenset({index("category", "-star_rating")}),
        fields={("restaurants", "*"): frozenset()},
    )

    assert made.serve(query("category", order=("-star_rating",)))
    assert not made.serve(query("category"))


def test_what_is_in_a_map_is_indexed_as_the_map_is():
    fields = {("cities", "*"): frozenset[str](), ("cities", "mayor"): frozenset({ASCENDING})}
    made = Indexes(composite=frozenset(), fields=fields)

    assert made.serve(query("mayor.name", collection="cities"))
    assert not made.serve(query("name", collection="cities"))


def test_an_index_that_no_query_needs_is_found():
    asked = [query("category", order=("-star_rating",)), query("category", "city")]
    said = {
        ("restaurants", "city"): frozenset({ASCENDING, DESCENDING}),
        ("restaurants", "category"): frozenset({ASCENDING}),
    }
    merged = Indexes(composite=BY_RATING.composite, fields=said)

    assert set(map(str, needless(merged, asked))) == {
        "restaurants: city ASCENDING, star_rating DESCENDING",
        "restaurants: editors_pick ASCENDING, star_rating DESCENDING",
        "restaurants: city DESCENDING",
    }


def test_a_query_is_read_as_the_rest_api_writes_it():
    read = read_query(
        {
            "from": [{"collectionId": "jobs"}],
            "where": {
                "compositeFilter": {
                    "op": "AND",
                    "filters": [
                        field_filter("account", "EQUAL"),
                        field_filter("status", "IN"),
                        field_filter("metadataPairs", "ARRAY_CONTAINS"),
                        field_filter("wakeAt", "LESS_THAN_OR_EQUAL"),
                        field_filter("wakeAt", "GREATER_THAN"),
                    ],
                }
            },
            "orderBy": [{"field": {"fieldPath": "wakeAt"}, "direction": "ASCENDING"}],
            "limit": 300,
        }
    )

    assert read == query(
        "account", "status", "metadataPairs[]", order=("wakeAt",), collection="jobs"
    )


def span(path):
    both = [field_filter(path, "GREATER_THAN"), field_filter(path, "LESS_THAN")]
    return {"compositeFilter": {"op": "AND", "filters": both}}


def any_of(*alternatives):
    return {"compositeFilter": {"op": "OR", "filters": list(alternatives)}}


def queue_query(*alternatives):
    filters = [field_filter("account", "EQUAL"), any_of(*alternatives)]
    return {
        "from": [{"collectionId": "jobs"}],
        "where": {"compositeFilter": {"op": "AND", "filters": filters}},
        "orderBy": [{"field": {"fieldPath": "queueKey"}}],
    }


def test_alternative_spans_of_one_field_are_read_as_one_range():
    read = read_query(queue_query(span("queueKey"), span("queueKey")))

    assert read == query("account", order=("queueKey",), collection="jobs")


def test_the_queue_needs_its_composite_index(written):
    asked = read_query(queue_query(span("queueKey"), span("queueKey")))
    queue = index("account", "queueKey", collection="jobs")

    assert written.serve(asked)
    assert not written.without(queue).serve(asked)


@pytest.mark.parametrize("path", ["queueKey", "input", "history", "outputs", "createdAt", "wakeAt"])
def test_large_and_growing_fields_are_not_indexed_by_themselves(path, written):
    assert not written.modes("jobs", path)


def test_a_range_is_sorted_by_its_field():
    where = {"where": field_filter("population", "GREATER_THAN")}

    assert read_query({"from": [{"collectionId": "cities"}], **where}) == query(
        order=("population",), collection="cities"
    )


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"where": any_of()}, id="or of nothing"),
        pytest.param({"where": any_of(span("state"), span("country"))}, id="or of two fields"),
        pytest.param({"where": any_of(field_filter("state", "EQUAL"))}, id="or of one value"),
        pytest.param({"where": any_of(*[span("state")] * 31)}, id="or of 31"),
        pytest.param(
            {"where": field_filter("state", "NOT_EQUAL")},
            id="not equal",
        ),
        pytest.param({"findNearest": {}}, id="vectors"),
        pytest.param({"from": [{"collectionId": "a", "allDescendants": True}]}, id="group"),
        pytest.param(
            {
                "where": field_filter("state", "LESS_THAN"),
                "orderBy": [{"field": {"fieldPath": "population"}}],
            },
            id="range and another order",
        ),
        pytest.param(
            {
                "where": field_filter("state", "EQUAL"),
                "orderBy": [{"field": {"fieldPath": "state"}}],
            },
            id="sorted by one value",
        ),
    ],
)
def test_a_query_that_is_not_understood_is_refused(more):
    with pytest.raises(NotUnderstood):
        read_query({"from": [{"collectionId": "cities"}], **more})


def test_terraform_makes_the_indexes_that_are_read_from_its_files(applied, written):
    assert indexes_as_made(applied.resources()) == written
