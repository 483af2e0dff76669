locals {
  metrics = { cpu = "ECSServiceAverageCPUUtilization", memory = "ECSServiceAverageMemoryUtilization" }

  scaled = merge({ service = { name = aws_ecs_service.service.name, size = var.size } }, var.frontend == null ? {} : {
    frontend = { name = aws_ecs_service.frontend[0].name, size = var.frontend.size }
  })
  policies = {
    for pair in setproduct(keys(local.scaled), keys(local.metrics)) : "${pair[0]}-${pair[1]}" => { service = pair[0], metric = pair[1] }
  }
  actions = {
    for pair in setproduct(keys(local.scaled), keys(var.schedule)) : "${pair[0]}-${pair[1]}" => merge(var.schedule[pair[1]], { service = pair[0] })
  }
}

resource "aws_appautoscaling_target" "main" {
  for_each = local.scaled

  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${each.value.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = each.value.size.min
  max_capacity       = each.value.size.max
}

# Scales out if either of the two exceeds its target, and in if both are below.
resource "aws_appautoscaling_policy" "main" {
  for_each = local.policies

  name               = "${var.name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main[each.value.service].service_namespace
  resource_id        = aws_appautoscaling_target.main[each.value.service].resource_id
  scalable_dimension = aws_appautoscaling_target.main[each.value.service].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.scaling[each.value.metric]
    scale_out_cooldown = var.scaling.out
    scale_in_cooldown  = var.scaling.in

    predefined_metric_specification {
      predefined_metric_type = local.metrics[each.value.metric]
    }
  }
}

# Hours with another number of tasks, as at night.
resource "aws_appautoscaling_scheduled_action" "main" {
  for_each = local.actions

  name               = "${var.name}-${each.key}"
  service_namespace  = aws_appautoscaling_target.main[each.value.service].service_namespace
  resource_id        = aws_appautoscaling_target.main[each.value.service].resource_id
  scalable_dimension = aws_appautoscaling_target.main[each.value.service].scalable_dimension
  schedule           = each.value.cron
  timezone           = each.value.timezone

  scalable_target_action {
    min_capacity = each.value.min
    max_capacity = each.value.max
  }
}
