locals {
  no_image = "none:none"
}

# The image in service. A successful refresh writes it, and Terraform reads it from then on.
resource "aws_ssm_parameter" "image" {
  #checkov:skip=CKV_AWS_337:an image's name is not a secret
  #checkov:skip=CKV2_AWS_34:an image's name is not a secret
  name           = "/items/${var.environment}/image"
  description    = "The image in service"
  type           = "String"
  insecure_value = coalesce(var.image, local.no_image)

  lifecycle {
    ignore_changes = [insecure_value]

    postcondition {
      condition     = self.insecure_value != local.no_image
      error_message = "There is no image in service yet: the first apply needs one, -var=image=URI."
    }
  }
}
