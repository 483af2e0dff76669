output "kms_key_arn" {
  description = "The key of the copies."
  value       = aws_kms_key.main.arn
}
