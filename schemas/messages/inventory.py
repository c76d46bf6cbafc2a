"""Messages of the `inventory` context, generated from `avro/inventory/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Units of an article."""

    sku: str
    """Stock keeping unit of the article."""
    quantity: int
    """How many units, at least one."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            quantity=datum["quantity"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsReserved:
    """All articles of an order are set aside for it."""

    NAME: ClassVar[str] = "inventory.ItemsReserved"
    READER: ClassVar[str | None] = None

    reservation_id: UUID
    """Identity of the reservation."""
    order_id: UUID
    """The order it is for."""
    items: tuple[Item, ...]
    """What is set aside, each article once."""
    reserved_at: datetime
    """When it was set aside."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "reservation_id": self.reservation_id,
            "order_id": self.order_id,
            "items": [item.to_avro() for item in self.items],
            "reserved_at": self.reserved_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            reservation_id=datum["reservation_id"],
            order_id=datum["order_id"],
            items=tuple(Item.from_avro(item) for item in datum["items"]),
            reserved_at=datum["reserved_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfStock:
    """There is too little in stock for an order; nothing is set aside for it."""

    NAME: ClassVar[str] = "inventory.OutOfStock"
    READER: ClassVar[str | None] = None

    reservation_id: UUID
    """Identity of the reservation."""
    order_id: UUID
    """The order it is for."""
    skus: tuple[str, ...]
    """Articles of which there is too little; none when the reservation was undone before."""
    refused_at: datetime
    """When it was refused."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "reservation_id": self.reservation_id,
            "order_id": self.order_id,
            "skus": list(self.skus),
            "refused_at": self.refused_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            reservation_id=datum["reservation_id"],
            order_id=datum["order_id"],
            skus=tuple(datum["skus"]),
            refused_at=datum["refused_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsReleased:
    """Nothing is set aside for an order any more, nor will be."""

    NAME: ClassVar[str] = "inventory.ItemsReleased"
    READER: ClassVar[str | None] = None

    reservation_id: UUID
    """Identity of the reservation."""
    order_id: UUID
    """The order it is for."""
    released_at: datetime
    """When it was released."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "reservation_id": self.reservation_id,
            "order_id": self.order_id,
            "released_at": self.released_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            reservation_id=datum["reservation_id"],
            order_id=datum["order_id"],
            released_at=datum["released_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveItems:
    """Set articles aside for an order, all of them or none."""

    NAME: ClassVar[str] = "inventory.ReserveItems"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""
    items: tuple[Item, ...]
    """What is to be set aside."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "items": [item.to_avro() for item in self.items],
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            items=tuple(Item.from_avro(item) for item in datum["items"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseItems:
    """Put back what is set aside for an order."""

    NAME: ClassVar[str] = "inventory.ReleaseItems"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpStock:
    """Take units of an article into stock."""

    NAME: ClassVar[str] = "inventory.TopUpStock"
    READER: ClassVar[str | None] = None

    sku: str
    """Stock keeping unit of the article."""
    units: int
    """How many, at least one."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "units": self.units,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            units=datum["units"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStock:
    """How much is on hand of articles?"""

    NAME: ClassVar[str] = "inventory.GetStock"
    READER: ClassVar[str | None] = None

    skus: tuple[str, ...]
    """The articles, each once."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "skus": list(self.skus),
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            skus=tuple(datum["skus"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleStock:
    """What is on hand of one article."""

    sku: str
    """The article."""
    on_hand: int
    """Units that are not set aside for anybody."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "on_hand": self.on_hand,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            on_hand=datum["on_hand"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What is on hand of articles, and may be gone in the next moment."""

    NAME: ClassVar[str] = "inventory.Stock"
    READER: ClassVar[str | None] = None

    articles: tuple[ArticleStock, ...]
    """All that were asked for."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "articles": [item.to_avro() for item in self.articles],
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            articles=tuple(ArticleStock.from_avro(item) for item in datum["articles"]),
        )
