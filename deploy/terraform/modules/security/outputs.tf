# These outputs wait for the groups' rules: an instance that boots before they exist loses its boot time to retries.
output "balancer_group_id" {
  description = "The load balancer's security group; known once it has its rules."
  value       = aws_security_group.balancer.id
  depends_on = [
    aws_vpc_security_group_ingress_rule.http,
    aws_vpc_security_group_ingress_rule.https,
    aws_vpc_security_group_ingress_rule.ipv6,
    aws_vpc_security_group_egress_rule.balancer_to_service,
    aws_vpc_security_group_egress_rule.balancer_to_frontend,
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
    aws_vpc_security_group_ingress_rule.frontend_from_balancer,
    aws_vpc_security_group_egress_rule.service_to_cache,
    aws_vpc_security_group_ingress_rule.cache_from_service,
  ]
}

output "database_group_id" {
  description = "The database's security group."
  value       = aws_security_group.database.id
}

output "cache_group_id" {
  description = "The cache's security group, if there is one."
  value       = one(aws_security_group.cache[*].id)
}

output "kms_key_arn" {
  description = "The environment's key."
  value       = aws_kms_key.main.arn
}
