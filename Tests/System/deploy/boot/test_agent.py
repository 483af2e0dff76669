"""The CloudWatch agent beside the service: it can send the reason of a failed launch, and the log lines of a drain."""

import json

from fleet import PARAMETER, site  # noqa: F401
from test_boot import is_healthy

from support.waiting import until

# The log as it was when the agent stopped, which the agent could still send.
SENT = "/var/log/agent.sent"
STOPPED = f"""
folder=/run/systemd/system/amazon-cloudwatch-agent.service.d
mkdir -p $folder
printf '[Service]\\nExecStop=cp /var/log/items/items.log {SENT}\\n' >$folder/sent.conf
systemctl daemon-reload
"""


def test_the_agent_is_stopped_when_the_drain_is_over(site):  # noqa: F811
    instance = site.launch(site.settings())
    assert instance.wait() == "done", instance.log()
    until(lambda: is_healthy(instance), 60, what="the service to be ready")
    instance.run("sh", "-c", STOPPED)
    instance.reboot()
    sent = [json.loads(line) for line in instance.out("cat", SENT).splitlines()]
    assert sent[-1]["msg"] == "Drained"


def test_the_agent_is_there_before_a_step_that_fails(site):  # noqa: F811
    instance = site.launch(site.settings(ITEMS_BINARY_URL="file:///nothing", ITEMS_FETCH_SECONDS=5))
    assert instance.wait() == "error"
    assert "binary: gives up: ITEMS_FETCH_SECONDS are over" in instance.log()
    assert instance.out("cat", "/var/log/agent.calls") == f"-a fetch-config -m ec2 -s -c ssm:{PARAMETER}\n"
