output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

output "public_subnet_ids" {
  description = "Where the load balancer stands."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "private_subnet_ids" {
  description = "Where the instances stand."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "database_subnet_ids" {
  description = "Where the database stands."
  value       = [for subnet in aws_subnet.database : subnet.id]
}
