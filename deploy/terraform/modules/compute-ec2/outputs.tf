output "group_name" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.service.name
}

output "launch_template_id" {
  description = "The launch template."
  value       = aws_launch_template.service.id
}

output "launch_template_arn" {
  description = "The launch template, for policies."
  value       = aws_launch_template.service.arn
}

output "launch_template_version" {
  description = "The number of the version in service."
  value       = aws_launch_template.service.latest_version
}

output "role_arn" {
  description = "The instances' role."
  value       = aws_iam_role.instance.arn
}

output "role_name" {
  description = "The instances' role, by name."
  value       = aws_iam_role.instance.name
}
