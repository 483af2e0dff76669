locals {
  severities = toset(["critical", "warning"])

  # Metric, period and threshold of each alarm. Times in seconds. Those of tasks are in the module compute-ecs.
  alarms = merge(local.service_alarms, var.platform == "ec2" ? local.instance_alarms : {})

  service_alarms = {
    unhealthy-hosts = {
      severity    = "critical"
      description = "An instance or task has failed its health checks for five minutes"
      namespace   = "AWS/ApplicationELB"
      metric      = "UnHealthyHostCount"
      dimensions  = { LoadBalancer = var.balancer_arn_suffix, TargetGroup = var.target_group_arn_suffix }
      statistic   = "Maximum"
      period      = 60
      periods     = 5
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
    # Failed launches register no target: the load balancer then reports neither healthy nor unhealthy hosts. The maximum,
    # because each zone counts its own targets and may have none.
    no-healthy-hosts = {
      severity    = "critical"
      description = "No instance or task has passed its health checks for two minutes: nothing is served"
      namespace   = "AWS/ApplicationELB"
      metric      = "HealthyHostCount"
      dimensions  = { LoadBalancer = var.balancer_arn_suffix, TargetGroup = var.target_group_arn_suffix }
      statistic   = "Maximum"
      period      = 60
      periods     = 2
      comparison  = "LessThanThreshold"
      threshold   = 1
      missing     = "breaching"
    }
    database-cpu = {
      severity    = "critical"
      description = "The database's CPU has been above 90 % for ten minutes"
      namespace   = "AWS/RDS"
      metric      = "CPUUtilization"
      dimensions  = { DBInstanceIdentifier = var.database_id }
      statistic   = "Average"
      period      = 300
      periods     = 2
      comparison  = "GreaterThanThreshold"
      threshold   = 90
      missing     = "missing"
    }
    database-cpu-high = {
      severity    = "warning"
      description = "The database's CPU has been above 70 % for fifteen minutes"
      namespace   = "AWS/RDS"
      metric      = "CPUUtilization"
      dimensions  = { DBInstanceIdentifier = var.database_id }
      statistic   = "Average"
      period      = 300
      periods     = 3
      comparison  = "GreaterThanThreshold"
      threshold   = 70
      missing     = "missing"
    }
    database-storage = {
      severity    = "warning"
      description = "The database has less than 10 GB of free storage"
      namespace   = "AWS/RDS"
      metric      = "FreeStorageSpace"
      dimensions  = { DBInstanceIdentifier = var.database_id }
      statistic   = "Minimum"
      period      = 300
      periods     = 1
      comparison  = "LessThanThreshold"
      threshold   = 10000000000
      missing     = "missing"
    }
    errors = {
      severity    = "warning"
      description = "More than ten lines at level ERROR in five minutes"
      namespace   = local.namespace
      metric      = "ErrorCount"
      dimensions  = {}
      statistic   = "Sum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 10
      missing     = "notBreaching"
    }
    # The service writes one line when an outage begins, for each instance or task.
    database-unreachable = {
      severity    = "warning"
      description = "The service has lost its database"
      namespace   = local.namespace
      metric      = "DatabaseUnreachableCount"
      dimensions  = {}
      statistic   = "Sum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
  }

  instance_alarms = {
    service-cpu-high = {
      severity    = "warning"
      description = "The instances' CPU has been above 70 % for fifteen minutes: scaling does not catch up"
      namespace   = "AWS/EC2"
      metric      = "CPUUtilization"
      dimensions  = { AutoScalingGroupName = var.group_name }
      statistic   = "Average"
      period      = 300
      periods     = 3
      comparison  = "GreaterThanThreshold"
      threshold   = 70
      missing     = "missing"
    }
  }
}

resource "aws_sns_topic" "main" {
  for_each = local.severities

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "main" {
  for_each = local.severities

  arn = aws_sns_topic.main[each.key].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "AlarmsAndBudgetsOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.main[each.key].arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      }], var.platform == "ec2" ? [] : [{
      # Without a condition: EventBridge sends neither account nor rule to a topic's policy.
      Sid       = "EventsOfTasks"
      Effect    = "Allow"
      Principal = { Service = ["events.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.main[each.key].arn
      Condition = {}
    }])
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = { for pair in setproduct(local.severities, var.emails) : "${pair[0]} ${pair[1]}" => pair }

  topic_arn = aws_sns_topic.main[each.value[0]].arn
  protocol  = "email"
  endpoint  = each.value[1]
}

resource "aws_sns_topic_subscription" "phone" {
  for_each = toset(var.phones)

  topic_arn = aws_sns_topic.main["critical"].arn
  protocol  = "sms"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.main[each.value.severity].arn]
  ok_actions          = [aws_sns_topic.main[each.value.severity].arn]
}

# 5xx of the targets plus 5xx of the load balancer itself: an unreachable target appears only in the second.
resource "aws_cloudwatch_metric_alarm" "server_errors" {
  alarm_name          = "${var.name}-server-errors"
  alarm_description   = "More than 50 answers with a status of 500 or above in five minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 50
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.main["critical"].arn]
  ok_actions          = [aws_sns_topic.main["critical"].arn]

  metric_query {
    id          = "all"
    label       = "5xx"
    expression  = "FILL(target, 0) + FILL(balancer, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { target = "HTTPCode_Target_5XX_Count", balancer = "HTTPCode_ELB_5XX_Count" }
    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = var.balancer_arn_suffix }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

# A launch may take fifteen minutes, the timeout of its hook, and is repeated if it fails.
resource "aws_cloudwatch_metric_alarm" "instances_missing" {
  count = var.platform == "ec2" ? 1 : 0

  alarm_name          = "${var.name}-instances-missing"
  alarm_description   = "Fewer instances in service than desired for twenty minutes: launches fail"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 20
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.main["warning"].arn]
  ok_actions          = [aws_sns_topic.main["warning"].arn]

  metric_query {
    id          = "missing"
    label       = "Instances missing"
    expression  = "desired - serving"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { desired = "GroupDesiredCapacity", serving = "GroupInServiceInstances" }
    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/AutoScaling"
        metric_name = metric_query.value
        dimensions  = { AutoScalingGroupName = var.group_name }
        stat        = "Average"
        period      = 60
      }
    }
  }
}

resource "aws_budgets_budget" "main" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Environment$%s", var.environment)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      subscriber_sns_topic_arns = [aws_sns_topic.main["warning"].arn]
    }
  }
}
