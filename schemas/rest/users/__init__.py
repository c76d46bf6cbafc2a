"""Users in the REST contract, one module for each version."""

from schemas.rest.api import Api
from schemas.rest.problem import ProblemType
from schemas.rest.versions import Version

V1 = Version(1)
USER_NOT_FOUND = ProblemType("user-not-found", "No such user")
EMAIL_TAKEN = ProblemType("email-taken", "E-mail address taken")
API = Api("users", versions=(V1,), problems=(USER_NOT_FOUND, EMAIL_TAKEN))
