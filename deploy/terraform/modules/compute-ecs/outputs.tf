output "cluster_name" {
  description = "The cluster: for deploy/refresh --service CLUSTER/NAME."
  value       = aws_ecs_cluster.main.name
}

output "service_name" {
  description = "The service's name in the cluster."
  value       = aws_ecs_service.service.name
}

output "service_arn" {
  description = "The service, for policies."
  value       = aws_ecs_service.service.id
}

output "task_family" {
  description = "Family of the service's task definitions."
  value       = aws_ecs_task_definition.service.family
}

output "role_arns" {
  description = "The roles that a task definition names: execution and task."
  value       = { execution = aws_iam_role.execution.arn, task = aws_iam_role.task.arn }
}

# Read from the resources, so that an example's tests hold what an apply would create.
output "numbers" {
  description = "Sizes and thresholds: of the tasks, their number, scaling and alarms."
  value = {
    cpu       = aws_ecs_task_definition.service.cpu
    memory    = aws_ecs_task_definition.service.memory
    desired   = aws_ecs_service.service.desired_count
    min       = aws_appautoscaling_target.main["service"].min_capacity
    max       = aws_appautoscaling_target.main["service"].max_capacity
    port      = one(aws_ecs_service.service.load_balancer[*].container_port)
    healthy   = [aws_ecs_service.service.deployment_minimum_healthy_percent, aws_ecs_service.service.deployment_maximum_percent]
    capacity  = [for one in aws_ecs_service.service.capacity_provider_strategy : one.capacity_provider]
    insights  = one(aws_ecs_cluster.main.setting[*].value)
    log_group = local.container.logConfiguration.options.awslogs-group
    scaling   = { for key, one in aws_appautoscaling_policy.main : key => one.target_tracking_scaling_policy_configuration[0].target_value }
    cooldowns = [
      aws_appautoscaling_policy.main["service-cpu"].target_tracking_scaling_policy_configuration[0].scale_out_cooldown,
      aws_appautoscaling_policy.main["service-cpu"].target_tracking_scaling_policy_configuration[0].scale_in_cooldown,
    ]
    schedule = { for key, one in aws_appautoscaling_scheduled_action.main : key => one.schedule }
    alarms   = merge({ for key, one in aws_cloudwatch_metric_alarm.usage : key => one.threshold }, { errors = aws_cloudwatch_metric_alarm.error_share.threshold })
    frontend = var.frontend == null ? null : {
      cpu       = aws_ecs_task_definition.frontend[0].cpu
      memory    = aws_ecs_task_definition.frontend[0].memory
      desired   = aws_ecs_service.frontend[0].desired_count
      min       = aws_appautoscaling_target.main["frontend"].min_capacity
      max       = aws_appautoscaling_target.main["frontend"].max_capacity
      port      = one(aws_ecs_service.frontend[0].load_balancer[*].container_port)
      log_group = local.page.logConfiguration.options.awslogs-group
    }
  }
}
