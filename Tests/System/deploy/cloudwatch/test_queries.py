"""The saved queries as CloudWatch takes them; what they answer is tested over a real log."""

import re

import boto3
import pytest
from botocore.stub import Stubber

import deployed
import insights

# Of a definition.
LONGEST_NAME = 255


@pytest.mark.parametrize("name", deployed.QUERIES)
class TestAQuery:
    def test_begins_with_its_title(self, name):
        assert re.fullmatch(r"# \S.{3,}", deployed.QUERIES[name].splitlines()[0])

    def test_can_be_read(self, name):
        insights.Query(deployed.QUERIES[name])

    def test_has_a_plain_name_and_a_length_that_is_allowed(self, name):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert len(deployed.QUERIES[name]) <= insights.LONGEST_QUERY

    def test_names_the_direction_of_its_sort(self, name):
        """The service's own choice is not documented."""
        for order in re.findall(r"\| sort (.*)", deployed.QUERIES[name]):
            assert all(re.fullmatch(r"\w+ (asc|desc)", one) for one in order.split(", ")), order

    def test_bounds_a_list_of_events(self, name):
        """Columns without a function and without a limit may be ten thousand rows; a few kinds of events never are."""
        query = deployed.QUERIES[name]
        assert "stats" in query or "limit" in query or "request_id =" in query or "msg like /^D" in query


def test_titles_differ_and_fit_behind_a_folder():
    """A definition is called "items-prod/Title"; each further slash would be a folder."""
    titles = [deployed.title(query) for query in deployed.QUERIES.values()]
    assert len(set(titles)) == len(titles)
    assert not any("/" in title or len(title) > LONGEST_NAME - 50 for title in titles)


def test_definitions_fit_the_model_of_the_api():
    logs = boto3.client(
        "logs", region_name=deployed.REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    with Stubber(logs) as stubber:
        for name, query in deployed.QUERIES.items():
            definition = {
                "name": f"items-{deployed.ENVIRONMENT}/{deployed.title(query)}",
                "logGroupNames": [deployed.LOG_GROUP],
                "queryString": query,
            }
            stubber.add_response("put_query_definition", {"queryDefinitionId": name}, definition)
            assert logs.put_query_definition(**definition)["queryDefinitionId"] == name
        stubber.assert_no_pending_responses()
