locals {
  # Scale out after three minutes, in after fifteen: an unneeded instance costs little.
  scaling = {
    out = { change = 1, threshold = var.cpu.high, comparison = "GreaterThanThreshold", minutes = 3 }
    in  = { change = -1, threshold = var.cpu.low, comparison = "LessThanThreshold", minutes = 15 }
  }
}

resource "aws_autoscaling_policy" "cpu" {
  for_each = local.scaling

  name                      = "${var.name}-${each.key}"
  autoscaling_group_name    = aws_autoscaling_group.service.name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = each.key == "out" ? 300 : null

  step_adjustment {
    scaling_adjustment          = each.value.change
    metric_interval_lower_bound = each.key == "out" ? "0" : null
    metric_interval_upper_bound = each.key == "out" ? null : "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  for_each = local.scaling

  alarm_name          = "${var.name}-scale-${each.key}"
  alarm_description   = "Average CPU ${each.key == "out" ? "above" : "below"} ${each.value.threshold} %: scales ${each.key}"
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  dimensions          = { AutoScalingGroupName = aws_autoscaling_group.service.name }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = each.value.minutes
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = "missing"
  alarm_actions       = [aws_autoscaling_policy.cpu[each.key].arn]
}
