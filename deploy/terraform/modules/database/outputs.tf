output "id" {
  description = "The database's identifier."
  value       = aws_db_instance.main.identifier
}

output "host" {
  description = "Host name of the database. It stays the same when the standby takes over."
  value       = aws_db_instance.main.address
}

output "port" {
  description = "Port on which the server listens."
  value       = var.port
}

output "database" {
  description = "The database's name."
  value       = aws_db_instance.main.db_name
}

output "secret_arn" {
  description = "The secret that RDS manages: user name and password."
  value       = one(aws_db_instance.main.master_user_secret[*].secret_arn)
}

output "final_snapshot" {
  description = "Name of the snapshot that RDS takes when the database is destroyed."
  value       = aws_db_instance.main.final_snapshot_identifier
}

output "max_connections" {
  description = "Maximum number of sessions of the server."
  value       = local.max_connections
}

output "service_connections" {
  description = "How many of the sessions all pools together may open."
  value       = local.max_connections - local.reserved_connections
}
