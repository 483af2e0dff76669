output "url" {
  description = "URL of the service, for deploy/smoke."
  value       = module.compute.url
}

output "group_name" {
  description = "The Auto Scaling group: for deploy/refresh."
  value       = module.compute.group_name
}

output "launch_template_id" {
  description = "The launch template."
  value       = module.compute.launch_template_id
}

output "launch_template_version" {
  description = "Version number of the launch template in service."
  value       = module.compute.launch_template_version
}

output "target_group_arn" {
  description = "ARN of the target group."
  value       = module.compute.target_group_arn
}

output "image_parameter" {
  description = "SSM parameter that names the image in service."
  value       = module.compute.image_parameter
}

output "database" {
  description = "The database: identifier, host, secret, and maximum number of sessions."
  value = {
    id              = module.database.id
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
  description = "The instances' role."
  value       = module.security.instance_role_name
}
