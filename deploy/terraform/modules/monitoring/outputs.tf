output "log_group" {
  description = "The service's log group."
  value       = aws_cloudwatch_log_group.service.name
}

output "log_group_arn" {
  description = "The same, for policies."
  value       = aws_cloudwatch_log_group.service.arn
}

output "agent_parameter" {
  description = "SSM parameter with the agent's configuration; null: no instances."
  value       = one(aws_ssm_parameter.agent[*].name)
}

output "topic_arns" {
  description = "SNS topics of the alarms, by severity."
  value       = { for severity, topic in aws_sns_topic.main : severity => topic.arn }
}

output "dashboard" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.main.dashboard_name
}

output "log_days" {
  description = "How long the service's log is kept."
  value       = aws_cloudwatch_log_group.service.retention_in_days
}
