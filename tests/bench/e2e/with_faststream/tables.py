"""The tables, as tables.sql and messages.sql make them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from faststream_outbox import make_outbox_table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


outbox = make_outbox_table(Base.metadata)


class Order(Base):
    __tablename__ = "orders"

    order_id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[str]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    total: Mapped[Decimal]
    status: Mapped[str] = mapped_column(default="pending")


class Payment(Base):
    __tablename__ = "payment"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount: Mapped[Decimal]


class Stock(Base):
    __tablename__ = "stock"

    sku: Mapped[str] = mapped_column(primary_key=True)
    available: Mapped[int]


class Reservation(Base):
    __tablename__ = "reservation"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class Shipment(Base):
    __tablename__ = "shipment"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    shipment_id: Mapped[UUID] = mapped_column(default=uuid4)


class OrdersPerMinute(Base):
    __tablename__ = "orders_per_minute"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    orders: Mapped[int]


class Inbox(Base):
    __tablename__ = "inbox"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
