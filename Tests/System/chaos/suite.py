"""All scenarios. Importing the modules registers them."""

import scenarios_failover  # noqa: F401
import scenarios_network  # noqa: F401
import scenarios_password  # noqa: F401
import scenarios_pooler  # noqa: F401
import scenarios_process  # noqa: F401
import scenarios_schema  # noqa: F401
import scenarios_standby  # noqa: F401
from scenario import scenarios

__all__ = ["scenarios"]
