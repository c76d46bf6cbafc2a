"""Makes the roles and databases, in a container that may: `python -m infra.compose.roles`."""

import sys

from infra.deployment.current import load_deployment
from infra.local.provision import provision

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in provision(load_deployment()))
