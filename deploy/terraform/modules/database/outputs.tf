output "id" {
  description = "The database's identifier."
  value       = aws_db_instance.main.identifier
}

output "host" {
  description = "Where the database answers. The name stays when the standby takes over."
  value       = aws_db_instance.main.address
}

output "port" {
  description = "Where the server listens."
  value       = var.port
}

output "database" {
  description = "The database's name."
  value       = aws_db_instance.main.db_name
}

output "secret_arn" {
  description = "The secret that RDS keeps: username and password."
  value       = one(aws_db_instance.main.master_user_secret[*].secret_arn)
}

output "max_connections" {
  description = "How many sessions the server takes."
  value       = local.max_connections
}

output "service_connections" {
  description = "How many of them all pools together may open."
  value       = local.max_connections - local.reserved_connections
}
