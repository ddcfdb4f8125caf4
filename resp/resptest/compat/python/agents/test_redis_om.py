"""redis-om: models on hashes and on JSON, found by their fields."""

import datetime
import os
import struct
from typing import List, Optional

import nearcache_data
import pytest

# Models that are embedded in others ask for it when they are made.
os.environ["REDIS_OM_URL"] = "redis://{}:{}".format(*nearcache_data.address())

from redis_om import (  # noqa: E402
    EmbeddedJsonModel, Field, HashModel, JsonModel, KNNExpression, Migrator, NotFoundError, VectorFieldOptions, get_redis_connection,
)


@pytest.fixture
def db():
    return get_redis_connection()


def names(query):
    return sorted(found.name for found in query.all())


def test_hash_model(db):
    class Customer(HashModel, index=True):
        name: str = Field(index=True)
        email: str = Field(index=True)
        bio: Optional[str] = Field(index=True, full_text_search=True, default="")
        age: int = Field(index=True, sortable=True)
        joined: datetime.date = Field(index=True, default=datetime.date(2020, 1, 1))

        class Meta:
            global_key_prefix = "om"
            database = db

    Migrator().run()
    people = [
        Customer(name="Andrew", email="andrew@example.com", age=38, bio="Python developer, works at Redis"),
        Customer(name="Beatrix", email="bea@example.org", age=44, bio="Gardens and writes Go"),
        Customer(name="Carl O'Neil", email="carl@example.com", age=17, bio=""),
    ]
    for p in people:
        p.save()
    assert Customer.get(people[0].pk).name == "Andrew"
    assert names(Customer.find(Customer.name == "Andrew")) == ["Andrew"]
    assert names(Customer.find(Customer.name != "Andrew")) == ["Beatrix", "Carl O'Neil"]
    assert names(Customer.find(Customer.email == "carl@example.com")) == ["Carl O'Neil"]
    assert names(Customer.find(Customer.age > 20)) == ["Andrew", "Beatrix"]
    assert names(Customer.find((Customer.age < 20) | (Customer.name == "Beatrix"))) == ["Beatrix", "Carl O'Neil"]
    assert names(Customer.find(Customer.bio % "gardens")) == ["Beatrix"]
    assert names(Customer.find(Customer.bio % "python", Customer.age >= 38)) == ["Andrew"]
    assert names(Customer.find(~(Customer.age == 44))) == ["Andrew", "Carl O'Neil"]
    assert names(Customer.find(Customer.name << ["Andrew", "Beatrix"])) == ["Andrew", "Beatrix"]
    assert [c.age for c in Customer.find().sort_by("age").all()] == [17, 38, 44]
    assert [c.age for c in Customer.find().sort_by("-age").all()] == [44, 38, 17]
    assert Customer.find(Customer.age > 0).count() == 3
    people[1].update(age=45)
    assert names(Customer.find(Customer.age == 45)) == ["Beatrix"]
    Customer.delete(people[0].pk)
    assert names(Customer.find(Customer.age > 20)) == ["Beatrix"]
    with pytest.raises(NotFoundError):
        Customer.find(Customer.name == "Andrew").first()
    with pytest.raises(NotFoundError):
        Customer.get(people[0].pk)


def test_json_model(db):
    class Address(EmbeddedJsonModel, index=True):
        street: str = Field(full_text_search=True, index=True)
        city: str = Field(index=True)

    class Order(EmbeddedJsonModel, index=True):
        sku: str = Field(index=True)

    class Member(JsonModel, index=True):
        name: str = Field(index=True)
        age: int = Field(index=True, sortable=True)
        tags: List[str] = Field(index=True, default=[])
        address: Address
        orders: List[Order] = Field(index=True, default=[])

        class Meta:
            global_key_prefix = "om"
            database = db

    Migrator().run()
    for m in [
        Member(name="Ann", age=31, tags=["red", "blue"], address=Address(street="12 Long Lane", city="Leeds"), orders=[Order(sku="a-1"), Order(sku="b-2")]),
        Member(name="Bob", age=52, tags=["green"], address=Address(street="3 Short Street", city="York"), orders=[]),
    ]:
        m.save()
    assert names(Member.find(Member.name == "Ann")) == ["Ann"]
    assert names(Member.find(Member.tags << ["blue"])) == ["Ann"]
    assert names(Member.find(Member.address.city == "York")) == ["Bob"]
    assert names(Member.find(Member.address.street % "lane")) == ["Ann"]
    assert names(Member.find(Member.orders.sku == "b-2")) == ["Ann"]
    assert names(Member.find((Member.age > 40) | (Member.tags << ["red"]))) == ["Ann", "Bob"]
    assert [m.age for m in Member.find().sort_by("-age").all()] == [52, 31]
    found = Member.find(Member.name == "Bob").first()
    assert found.address.street == "3 Short Street"
    found.address.city = "Hull"
    found.save()
    assert names(Member.find(Member.address.city == "Hull")) == ["Bob"]
    assert names(Member.find(Member.address.city == "York")) == []


def test_vectors(db):
    texts = ["a", "b", "c"]

    class Note(JsonModel, index=True):
        text: str = Field(index=True)
        embedding: List[float] = Field(
            [], index=True, vector_options=VectorFieldOptions.flat(
                type=VectorFieldOptions.TYPE.FLOAT32, dimension=2, distance_metric=VectorFieldOptions.DISTANCE_METRIC.L2,
            ),
        )
        distance: Optional[float] = None

        class Meta:
            global_key_prefix = "om"
            database = db

    Migrator().run()
    for i, t in enumerate(texts):
        Note(text=t, embedding=[float(i), 0.0]).save()
    knn = KNNExpression(k=2, vector_field=Note.embedding, score_field=Note.distance, reference_vector=struct.pack("<2f", 1.9, 0))
    assert [n.text for n in Note.find(knn=knn).all()] == ["c", "b"]
