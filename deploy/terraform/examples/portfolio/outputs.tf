output "service" {
  description = "Values that deploy/refresh, deploy/smoke and the workflows read."
  value       = module.environment
}
