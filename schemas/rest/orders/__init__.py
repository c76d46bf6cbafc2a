"""Orders in the public REST contract, one module for each version."""

from datetime import date

from schemas.rest.api import Api
from schemas.rest.problem import ProblemType
from schemas.rest.versions import Version

V1 = Version(1, deprecated_on=date(2026, 11, 23), sunset_on=date(2027, 11, 30))
V2 = Version(2)
ORDER_NOT_FOUND = ProblemType("order-not-found", "No such order")
ORDER_DECIDED = ProblemType("order-decided", "The order can no longer be cancelled")
OUT_OF_STOCK = ProblemType("out-of-stock", "There is too little of an article")
API = Api("orders", versions=(V1, V2), problems=(ORDER_NOT_FOUND, ORDER_DECIDED, OUT_OF_STOCK))
