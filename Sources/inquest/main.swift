import InquestCLI

InquestCLI.main()
