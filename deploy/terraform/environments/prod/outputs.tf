output "service" {
  description = "What deploy/refresh, deploy/smoke and the workflows ask for."
  value       = module.environment
}
