output "trail_bucket" {
  description = "Bucket of the trail's records; null without a trail."
  value       = one(aws_s3_bucket.trail[*].bucket)
}

output "session_log_group" {
  description = "Log group of the recorded sessions; null if they are not recorded."
  value       = one(aws_cloudwatch_log_group.sessions[*].name)
}
