mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:items-prod-topic" }
  }
}

# Told apart by their addresses below: mocked topics share an ARN.
override_resource {
  target = aws_sns_topic.main["critical"]
  values = { arn = "arn:aws:sns:us-east-1:123456789012:items-prod-critical" }
}

override_resource {
  target = aws_sns_topic.main["warning"]
  values = { arn = "arn:aws:sns:us-east-1:123456789012:items-prod-warning" }
}

variables {
  name                    = "items-prod"
  environment             = "prod"
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/1"
  log_days                = 90
  emails                  = ["one@example.com", "two@example.com"]
  phones                  = ["+491701234567"]
  balancer_arn_suffix     = "app/items-prod/1"
  target_group_arn_suffix = "targetgroup/items-prod/1"
  group_name              = "items-prod"
  database_id             = "items-prod-database"
  budget                  = 400
  cloudwatch_directory    = "./tests/cloudwatch"
}

run "the_alarms_have_their_numbers" {
  command = apply

  assert {
    condition = { for name, one in aws_cloudwatch_metric_alarm.main : name => [
      one.metric_name, one.comparison_operator, one.threshold, one.period * one.evaluation_periods / 60,
      ] } == {
      unhealthy-hosts   = ["UnHealthyHostCount", "GreaterThanThreshold", 0, 5]
      no-healthy-hosts  = ["HealthyHostCount", "LessThanThreshold", 1, 2]
      database-cpu      = ["CPUUtilization", "GreaterThanThreshold", 90, 10]
      database-cpu-high = ["CPUUtilization", "GreaterThanThreshold", 70, 15]
      service-cpu-high  = ["CPUUtilization", "GreaterThanThreshold", 70, 15]
      database-storage  = ["FreeStorageSpace", "LessThanThreshold", 10000000000, 5]
      errors            = ["ErrorCount", "GreaterThanThreshold", 10, 5]

      database-unreachable = ["DatabaseUnreachableCount", "GreaterThanThreshold", 0, 5]
    }
    error_message = "A metric, a threshold or a time is another."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.server_errors.threshold == 50 && aws_cloudwatch_metric_alarm.server_errors.evaluation_periods == 1 &&
      toset(flatten([for one in aws_cloudwatch_metric_alarm.server_errors.metric_query : [for metric in one.metric : [metric.metric_name, metric.period]]])) ==
      toset(["HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "300"])
    )
    error_message = "More than 50 answers in 5 minutes, the targets' and the load balancer's together."
  }
  assert {
    condition = alltrue([
      for name in ["unhealthy-hosts", "no-healthy-hosts", "database-cpu"] :
      aws_cloudwatch_metric_alarm.main[name].alarm_actions == toset([aws_sns_topic.main["critical"].arn])
    ]) && aws_cloudwatch_metric_alarm.server_errors.alarm_actions == toset([aws_sns_topic.main["critical"].arn])
    error_message = "These are critical."
  }
  assert {
    condition = alltrue([
      for name in ["database-cpu-high", "service-cpu-high", "database-storage", "errors"] :
      aws_cloudwatch_metric_alarm.main[name].alarm_actions == toset([aws_sns_topic.main["warning"].arn])
    ])
    error_message = "These are warnings."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.main["no-healthy-hosts"].treat_missing_data == "breaching" &&
      aws_cloudwatch_metric_alarm.main["no-healthy-hosts"].statistic == "Maximum"
    )
    error_message = "Missing data counts as no healthy host; a zone without targets does not."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.instances_missing[0].evaluation_periods == 20 && aws_cloudwatch_metric_alarm.instances_missing[0].threshold == 0 &&
      aws_cloudwatch_metric_alarm.instances_missing[0].alarm_actions == toset([aws_sns_topic.main["warning"].arn])
    )
    error_message = "Missing instances are a warning after twenty minutes."
  }
  assert {
    condition     = alltrue([for one in aws_cloudwatch_metric_alarm.main : one.ok_actions == one.alarm_actions])
    error_message = "Who hears of an alarm hears of its end."
  }
}

run "mail_gets_everything_and_phones_what_is_critical" {
  command = apply

  assert {
    condition = toset([for one in aws_sns_topic_subscription.email : "${one.endpoint} ${one.topic_arn}"]) == toset(flatten([
      for severity in ["critical", "warning"] : [
        for address in ["one@example.com", "two@example.com"] : "${address} ${aws_sns_topic.main[severity].arn}"
      ]
    ]))
    error_message = "Every address hears of every alarm."
  }
  assert {
    condition = (
      aws_sns_topic_subscription.phone["+491701234567"].protocol == "sms" &&
      aws_sns_topic_subscription.phone["+491701234567"].topic_arn == aws_sns_topic.main["critical"].arn
    )
    error_message = "Phones ring for critical alarms."
  }
  assert {
    condition     = alltrue([for topic in aws_sns_topic.main : topic.kms_master_key_id == var.kms_key_arn])
    error_message = "Topics are encrypted."
  }
}

run "the_files_become_resources" {
  command = apply

  assert {
    condition = (
      aws_cloudwatch_query_definition.service["errors"].name == "items-prod/Errors, by route" &&
      aws_cloudwatch_query_definition.service["errors"].query_string == "filter level = \"ERROR\"\n| stats count(*) by route"
    )
    error_message = "A query's first line is its name, without the colon that CloudWatch refuses."
  }
  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.service["errors"].pattern == "{ $.level = \"ERROR\" }" &&
      aws_cloudwatch_log_metric_filter.service["errors"].metric_transformation[0].namespace == "Items/prod" &&
      aws_cloudwatch_log_metric_filter.service["errors"].metric_transformation[0].name == "ErrorCount" &&
      aws_cloudwatch_log_metric_filter.service["errors"].metric_transformation[0].default_value == "0"
    )
    error_message = "Lines at ERROR count as ErrorCount of the environment, and none as 0."
  }
  assert {
    condition = jsondecode(aws_ssm_parameter.agent[0].insecure_value) == {
      logs = { group = "/items/prod/service", of = "prod", kept = "$${aws:InstanceId}" }
    }
    error_message = "The agent's configuration is filled in."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets[0].properties.markdown == join(" ", [
      "us-east-1", "prod", "Items/prod", "/items/prod/service", "app/items-prod/1", "targetgroup/items-prod/1", "items-prod", "items-prod-database",
    ])
    error_message = "The dashboard is filled in."
  }
  assert {
    condition     = aws_cloudwatch_log_group.service.retention_in_days == 90 && aws_cloudwatch_log_group.service.kms_key_id == var.kms_key_arn
    error_message = "Logs are kept encrypted for 90 days."
  }
}

run "tasks_have_no_alarms_of_instances" {
  command = apply

  variables {
    platform           = "ecs"
    group_name         = null
    cluster_name       = "items-prod"
    service_name       = "items"
    log_group          = "/ecs/items-prod"
    further_log_groups = ["/ecs/items-prod/frontend"]
  }

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.main)) == toset([
      "unhealthy-hosts", "no-healthy-hosts", "database-cpu", "database-cpu-high", "database-storage", "errors", "database-unreachable",
    ]) && length(aws_cloudwatch_metric_alarm.instances_missing) == 0 && length(aws_ssm_parameter.agent) == 0
    error_message = "Alarms of instances and an agent without instances."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets[0].properties.markdown == join(" ", [
      "us-east-1", "prod", "Items/prod", "/ecs/items-prod", "app/items-prod/1", "targetgroup/items-prod/1", "items-prod", "items", "items-prod-database",
    ])
    error_message = "The dashboard shows the tasks."
  }
  assert {
    condition     = aws_cloudwatch_log_group.service.name == "/ecs/items-prod" && aws_cloudwatch_log_group.further["/ecs/items-prod/frontend"].retention_in_days == 90
    error_message = "The log groups have the names that are given."
  }
  assert {
    condition     = contains([for one in jsondecode(aws_sns_topic_policy.main["warning"].policy).Statement : one.Sid], "EventsOfTasks")
    error_message = "Events of failed tasks may be published."
  }
}

run "the_budget" {
  command = apply

  assert {
    condition     = aws_budgets_budget.main.limit_amount == "400" && aws_budgets_budget.main.limit_unit == "USD" && aws_budgets_budget.main.time_unit == "MONTHLY"
    error_message = "400 dollars a month."
  }
  assert {
    condition = { for one in aws_budgets_budget.main.notification : one.notification_type => one.threshold } == {
      ACTUAL = 80, FORECASTED = 100
    }
    error_message = "A warning at 80 % spent and at a forecast of all of it."
  }
}

run "unknown_days_and_a_number_without_its_country_and_no_budget_are_refused" {
  command         = plan
  expect_failures = [var.log_days, var.phones, var.budget]

  variables {
    log_days = 42
    phones   = ["0170 1234567"]
    budget   = 0
  }
}
