output "balancer_group_id" {
  description = "The load balancer's security group."
  value       = aws_security_group.balancer.id
}

output "service_group_id" {
  description = "The instances' security group."
  value       = aws_security_group.service.id
}

output "database_group_id" {
  description = "The database's security group."
  value       = aws_security_group.database.id
}

output "kms_key_arn" {
  description = "The environment's key."
  value       = aws_kms_key.main.arn
}

output "instance_profile_arn" {
  description = "Instance profile for the launch template."
  value       = aws_iam_instance_profile.instance.arn
}

output "instance_role_arn" {
  description = "The instances' role."
  value       = aws_iam_role.instance.arn
}

output "instance_role_name" {
  description = "The instances' role, by name."
  value       = aws_iam_role.instance.name
}
