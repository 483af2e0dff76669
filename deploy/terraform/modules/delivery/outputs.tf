output "role_arn" {
  description = "For the workflows' variable."
  value       = aws_iam_role.main.arn
}
