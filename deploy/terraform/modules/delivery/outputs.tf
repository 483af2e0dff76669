output "role_arn" {
  description = "ARN of the role, for the workflows' variable."
  value       = aws_iam_role.main.arn
}
