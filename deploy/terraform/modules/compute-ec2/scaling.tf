locals {
  # Scale out after three minutes, in after fifteen: an unneeded instance costs little.
  scaling = {
    out = {
      threshold  = var.cpu.high
      comparison = "GreaterThanThreshold"
      minutes    = 3
      adjustment = "PercentChangeInCapacity"
      # Percentage of the group by the CPU's distance from the threshold, at least one instance. A boot takes minutes, so
      # adding one instance at a time would take an hour from two to ten.
      steps = [{ from = 0, to = 10, change = 10 }, { from = 10, to = 20, change = 50 }, { from = 20, to = null, change = 100 }]
    }
    in = {
      threshold  = var.cpu.low
      comparison = "LessThanThreshold"
      minutes    = 15
      adjustment = "ChangeInCapacity"
      steps      = [{ from = null, to = 0, change = -1 }]
    }
  }
}

# Without a warm-up time: the group's applies, which begins after the launch hook.
resource "aws_autoscaling_policy" "cpu" {
  for_each = local.scaling

  name                     = "${var.name}-${each.key}"
  autoscaling_group_name   = aws_autoscaling_group.service.name
  policy_type              = "StepScaling"
  adjustment_type          = each.value.adjustment
  min_adjustment_magnitude = each.value.adjustment == "PercentChangeInCapacity" ? 1 : null
  metric_aggregation_type  = "Average"

  dynamic "step_adjustment" {
    for_each = each.value.steps
    content {
      scaling_adjustment          = step_adjustment.value.change
      metric_interval_lower_bound = step_adjustment.value.from
      metric_interval_upper_bound = step_adjustment.value.to
    }
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
