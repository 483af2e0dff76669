output "host" {
  description = "Host name of the primary. It stays the same when a copy takes over."
  value       = aws_elasticache_replication_group.main.primary_endpoint_address
}

output "port" {
  description = "Port on which the cache listens, with TLS."
  value       = aws_elasticache_replication_group.main.port
}

output "user" {
  description = "User name of the service in the cache, without a password."
  value       = aws_elasticache_user.service.user_name
}

# Read from the resources, so that an example's tests hold what an apply would create.
output "numbers" {
  description = "Version, nodes, failover, eviction, snapshots and windows of the cache."
  value = {
    version   = aws_elasticache_replication_group.main.engine_version
    node_type = aws_elasticache_replication_group.main.node_type
    nodes     = aws_elasticache_replication_group.main.num_cache_clusters
    failover  = aws_elasticache_replication_group.main.automatic_failover_enabled
    eviction  = one([for one in aws_elasticache_parameter_group.main.parameter : one.value])
    snapshots = aws_elasticache_replication_group.main.snapshot_retention_limit
    windows   = [aws_elasticache_replication_group.main.snapshot_window, aws_elasticache_replication_group.main.maintenance_window]
    port      = aws_elasticache_replication_group.main.port
  }
}
