output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

# AWS refuses an internet-facing load balancer while the network has no internet gateway, and an instance that boots before
# the routes exist loses its boot time to retries. These outputs therefore wait for the routes.
output "public_subnet_ids" {
  description = "Subnets of the load balancer; known once they reach the internet."
  value       = [for subnet in aws_subnet.public : subnet.id]
  depends_on  = [aws_route.internet, aws_route.internet_ipv6, aws_route_table_association.public]
}

output "private_subnet_ids" {
  description = "Subnets of the instances; known once they reach the internet and S3."
  value       = [for subnet in aws_subnet.private : subnet.id]
  depends_on  = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.s3]
}

output "database_subnet_ids" {
  description = "Subnets of the database."
  value       = [for subnet in aws_subnet.database : subnet.id]
}

output "numbers" {
  description = "Number of zones and of NAT gateways."
  value       = { zones = length(aws_subnet.private), gateways = length(aws_nat_gateway.main) }
}
