# Alarms of the tasks. Those of load balancer, database and log are the module monitoring's.
locals {
  usage = {
    cpu    = { metric = "CPUUtilization", threshold = var.alarms.cpu }
    memory = { metric = "MemoryUtilization", threshold = var.alarms.memory }
  }
}

resource "aws_cloudwatch_metric_alarm" "usage" {
  for_each = local.usage

  alarm_name          = "${var.name}-tasks-${each.key}"
  alarm_description   = "The tasks' ${each.key} has been above ${each.value.threshold} % for ten minutes: scaling does not catch up"
  namespace           = "AWS/ECS"
  metric_name         = each.value.metric
  dimensions          = { ClusterName = aws_ecs_cluster.main.name, ServiceName = local.service_name }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arns.warning]
  ok_actions          = [var.topic_arns.warning]
}

# Also rolls a deployment back, so it exists before the service. Fewer than twenty requests a minute are no share of anything.
resource "aws_cloudwatch_metric_alarm" "error_share" {
  alarm_name          = "${var.name}-error-share"
  alarm_description   = "More than ${var.alarms.errors} % of the answers have had a status of 500 or above for three minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.errors
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arns.critical]
  ok_actions          = [var.topic_arns.critical]

  metric_query {
    id          = "share"
    label       = "5xx, per cent"
    expression  = "IF(FILL(requests, 0) >= 20, 100 * (FILL(target, 0) + FILL(balancer, 0)) / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { requests = "RequestCount", target = "HTTPCode_Target_5XX_Count", balancer = "HTTPCode_ELB_5XX_Count" }
    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = var.balancer_arn_suffix }
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

# A task that ends by itself or does not start. Tasks that ECS stops, in a deployment or when it scales in, are none.
resource "aws_cloudwatch_event_rule" "failures" {
  name        = "${var.name}-task-failures"
  description = "A task of ${var.name} failed"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.main.arn]
      lastStatus = ["STOPPED"]
      stopCode   = ["EssentialContainerExited", "TaskFailedToStart"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failures" {
  rule      = aws_cloudwatch_event_rule.failures.name
  target_id = "topic"
  arn       = var.topic_arns.warning

  input_transformer {
    input_paths = {
      group  = "$.detail.group"
      reason = "$.detail.stoppedReason"
      task   = "$.detail.taskArn"
      time   = "$.time"
    }
    input_template = "\"<time> <group>: <reason> (<task>)\""
  }
}
