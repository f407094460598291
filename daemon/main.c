#include "base.h"

#include <stdio.h>

int main(void)
{
	printf("leakwatch %s\n", LEAKWATCH_VERSION);
	return 0;
}
