output "state_bucket" {
  description = "For each environment's init: -backend-config=bucket=..."
  value       = aws_s3_bucket.state.bucket
}

output "repository_url" {
  description = "Repository to push images to, without a tag."
  value       = module.repository.url
}

output "build_role_arn" {
  description = "The role of the workflow that pushes images (BUILD_ROLE_ARN)."
  value       = one(module.build[*].role_arn)
}

output "plan_role_arn" {
  description = "The role of the workflow that plans (PLAN_ROLE_ARN)."
  value       = one(module.plan[*].role_arn)
}

output "apply_role_arn" {
  description = "The role of the workflow that applies an approved plan (APPLY_ROLE_ARN)."
  value       = one(module.apply[*].role_arn)
}
