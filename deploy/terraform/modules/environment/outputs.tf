output "url" {
  description = "URL of the service, for deploy/smoke."
  value       = module.balancer.url
}

output "group_name" {
  description = "The Auto Scaling group, for deploy/refresh --group; null: on ECS."
  value       = one(module.compute[*].group_name)
}

output "launch_template_id" {
  description = "The launch template."
  value       = one(module.compute[*].launch_template_id)
}

output "launch_template_version" {
  description = "Version number of the launch template in service."
  value       = one(module.compute[*].launch_template_version)
}

output "target_group_arn" {
  description = "ARN of the target group."
  value       = module.balancer.target_group_arn
}

output "image_parameter" {
  description = "SSM parameter that names the image in service."
  value       = aws_ssm_parameter.image.name
}

output "database" {
  description = "The database: identifier, ARN, host, secret, and maximum number of sessions."
  value = {
    id              = module.database.id
    arn             = module.database.arn
    host            = module.database.host
    secret_arn      = module.database.secret_arn
    max_connections = module.database.max_connections
  }
}

output "log_group" {
  description = "The service's log group."
  value       = module.monitoring.log_group
}

output "dashboard" {
  description = "The dashboard's name."
  value       = module.monitoring.dashboard
}

output "topic_arns" {
  description = "SNS topics of the alarms, by severity."
  value       = module.monitoring.topic_arns
}

output "deploy_role_arn" {
  description = "The workflow's role for this environment (DEPLOY_ROLE_ARN)."
  value       = one(module.delivery[*].role_arn)
}

output "instance_role_name" {
  description = "The instances' role; null: on ECS."
  value       = one(module.compute[*].role_name)
}

output "ecs_service" {
  description = "CLUSTER/NAME, for deploy/refresh --service; null: on EC2."
  value       = one([for one in module.tasks : "${one.cluster_name}/${one.service_name}"])
}

output "cache" {
  description = "Host, port and user of the cache; null: none."
  value       = one([for one in module.cache : { host = one.host, port = one.port, user = one.user }])
}

output "numbers" {
  description = "What the resources have been given, for the tests of an example."
  value = {
    network  = module.network.numbers
    balancer = module.balancer.numbers
    log_days = module.monitoring.log_days
    tasks    = one(module.tasks[*].numbers)
    database = module.database.numbers
    cache    = one(module.cache[*].numbers)
  }
}
