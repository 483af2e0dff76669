# These outputs wait for the groups' rules and the role's policy: an instance that boots before they exist loses its boot time
# to retries.
output "balancer_group_id" {
  description = "The load balancer's security group; known once it has its rules."
  value       = aws_security_group.balancer.id
  depends_on = [
    aws_vpc_security_group_ingress_rule.http,
    aws_vpc_security_group_ingress_rule.https,
    aws_vpc_security_group_egress_rule.balancer_to_service,
  ]
}

output "service_group_id" {
  description = "The instances' security group; known once it and the database's group have their rules."
  value       = aws_security_group.service.id
  depends_on = [
    aws_vpc_security_group_ingress_rule.service_from_balancer,
    aws_vpc_security_group_egress_rule.service_to_database,
    aws_vpc_security_group_egress_rule.service_to_https,
    aws_vpc_security_group_ingress_rule.database_from_service,
  ]
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
  description = "Instance profile for the launch template; known once the role has its policy."
  value       = aws_iam_instance_profile.instance.arn
  depends_on  = [aws_iam_role_policy.instance]
}

output "instance_role_arn" {
  description = "The instances' role."
  value       = aws_iam_role.instance.arn
}

output "instance_role_name" {
  description = "The instances' role, by name."
  value       = aws_iam_role.instance.name
}
