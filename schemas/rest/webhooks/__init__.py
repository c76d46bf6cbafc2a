"""Webhooks in the REST contract, one module for each version."""

from schemas.rest.api import Api
from schemas.rest.problem import ProblemType
from schemas.rest.versions import Version

V1 = Version(1)
ENDPOINT_NOT_FOUND = ProblemType("endpoint-not-found", "No such webhook endpoint")
DELIVERY_NOT_FOUND = ProblemType("delivery-not-found", "No such delivery")
URL_REFUSED = ProblemType("url-refused", "A URL that is not called from here")
ENDPOINT_STATE = ProblemType("endpoint-state", "Not in the state that the endpoint is in")
DELIVERY_STATE = ProblemType("delivery-state", "Not in the state that the delivery is in")
API = Api(
    "webhooks",
    versions=(V1,),
    problems=(ENDPOINT_NOT_FOUND, DELIVERY_NOT_FOUND, URL_REFUSED, ENDPOINT_STATE, DELIVERY_STATE),
)
